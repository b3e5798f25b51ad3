"""A contestant as a process on a core of its own, and what the kernel says of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[3]
TICKS: Final = os.sysconf("SC_CLK_TCK")
MIB: Final = 1 << 20


class EndedError(RuntimeError):
    """A contestant ended, or didn't do its work in time; the message has its log's end."""


def cores() -> tuple[int, int]:
    """The contestant's core, and that of the broker and of everything else."""
    mine = sorted(os.sched_getaffinity(os.getppid()) | os.sched_getaffinity(0))
    return mine[0], mine[-1]


def pin(core: int, pid: int = 0) -> None:
    """Keep a process (all threads that it has and will have) on one core."""
    if pid == 0:
        os.sched_setaffinity(0, {core})
        return
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, of all its threads, living and dead."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Resident memory now (``VmRSS``) or at its highest (``VmHWM``)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise EndedError(f"process {pid} has no {field}: it has ended")


class Pinned:
    """A process on one core; its output goes to ``log``.

    Args:
        command: what to run.
        core: the core.
        log: file of its output.
        env: further environment.
    """

    def __init__(
        self, command: Sequence[str], core: int, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        words = ["taskset", "--cpu-list", str(core), *command]
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                words,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONPATH": str(ROOT),
                    **(env or {}),
                },
            )
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Process id (``taskset`` becomes the command)."""
        return self._process.pid

    def check(self) -> None:
        """Raises EndedError where it has ended."""
        if self._process.poll() is not None:
            raise self.error(f"it ended with exit code {self._process.returncode}")

    def error(self, what: str) -> EndedError:
        """An error with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-25:]
        return EndedError("\n".join([f"{what}; the end of {self.log}:", *lines]))

    def pause(self) -> None:
        """Stop it where it is; the broker doesn't notice within its session."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._process.send_signal(signal.SIGCONT)

    def cpu(self) -> float:
        """CPU seconds so far."""
        self.check()
        return cpu_seconds(self.pid)


class Sampler:
    """CPU seconds of some processes over time, looked up by the wall clock.

    Args:
        pids: processes.
        every_s: seconds between two looks.
    """

    def __init__(self, pids: Sequence[int], every_s: float = 0.02) -> None:
        self._pids = pids
        self._every_s = every_s
        self._seen: list[tuple[float, list[float]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        try:
            self._seen.append((time.time(), [cpu_seconds(pid) for pid in self._pids]))
        except OSError:  # it has ended; whoever waits for it will say so
            self._stop.set()

    def at(self, when: float) -> list[float]:
        """CPU seconds of each process at a time, between the looks before and after it."""
        return between(list(self._seen), when)


def between(looks: Sequence[tuple[float, list[float]]], when: float) -> list[float]:
    """Values at a time, on the line from the look before it to the one after; the ends hold on."""
    after = next((k for k, (t, _) in enumerate(looks) if t >= when), len(looks) - 1)
    (t0, a), (t1, b) = looks[max(0, after - 1)], looks[after]
    part = min(1.0, max(0.0, (when - t0) / (t1 - t0))) if t1 > t0 else 1.0
    return [x + part * (y - x) for x, y in zip(a, b, strict=True)]
