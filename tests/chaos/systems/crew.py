"""The workers of a phase, and somebody who starts again what ended by itself."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.workers import WorkerProcess

LOOK_S: Final = 0.2
RESTART_S: Final = 1.0
"""What an orchestrator takes."""
STOP_S: Final = 30.0


@dataclass
class Slot:
    """A place for one worker, with its own settings, folder and proxies.

    Attributes:
        name: of the worker.
        wanted: whether a worker should run here.
        busy: held by the fault that is at work here.
    """

    name: str
    worker: WorkerProcess
    wanted: bool = False
    busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        """Where its settings, log and state are."""
        return self.worker.config.parent

    @property
    def state(self) -> Path:
        """Folder of its local store."""
        return self.folder / "state"

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        process: subprocess.Popen[bytes] | None = getattr(self.worker, "process", None)
        return process is not None and process.poll() is None


@dataclass(frozen=True)
class Ended:
    """A worker that ended by itself.

    Attributes:
        at: monotonic time.
        why: the last line of its log.
    """

    at: float
    name: str
    code: int
    why: str


class Crew:
    """All slots; a context manager that leaves no worker behind.

    Args:
        names: names of the slots.
        make: makes a slot's worker, without starting it.
    """

    def __init__(self, names: Sequence[str], make: Callable[[str], WorkerProcess]) -> None:
        self.slots = {name: Slot(name, make(name)) for name in names}
        self.ended: list[Ended] = []
        self._choose = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        for slot in self.slots.values():
            slot.worker.kill()

    def start(self, name: str) -> None:
        """A worker runs here from now on."""
        slot = self.slots[name]
        slot.worker.start()
        slot.wanted = True

    def kill(self, name: str) -> None:
        """End a worker with SIGKILL; whoever holds the slot starts it again."""
        self.slots[name].worker.kill()

    def terminate(self, name: str) -> int:
        """End a worker with SIGTERM; its exit code, or -9 where it didn't end in time."""
        slot = self.slots[name]
        if not slot.runs:  # it ended by itself meanwhile
            return slot.worker.process.returncode
        try:
            return slot.worker.terminate(STOP_S)
        except subprocess.TimeoutExpired:
            slot.worker.kill()
            return -9

    @contextmanager
    def one(self, rng: random.Random, *, running: bool = True) -> Iterator[Slot]:
        """A slot for oneself: one with a worker, or one without; waits until there is one."""
        slot = self._take(rng, running)
        try:
            yield slot
        finally:
            slot.busy.release()

    def _take(self, rng: random.Random, running: bool) -> Slot:
        while True:
            with self._choose:
                fits = [s for s in self.slots.values() if s.wanted is running]
                rng.shuffle(fits)
                for slot in fits:
                    if slot.busy.acquire(blocking=False):
                        return slot
            time.sleep(LOOK_S)  # another fault has it

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            for slot in self.slots.values():
                if slot.busy.acquire(blocking=False):
                    try:
                        self._look_after(slot)
                    finally:
                        slot.busy.release()

    def _look_after(self, slot: Slot) -> None:
        if slot.wanted and not slot.runs:
            code = slot.worker.process.returncode
            self.ended.append(Ended(time.monotonic(), slot.name, code, last_words(slot)))
            if not self._stop.wait(RESTART_S):
                slot.worker.start()


def last_words(slot: Slot) -> str:
    """What a worker's log says about why it ended."""
    lines: list[str] = []
    with suppress(OSError):
        lines = slot.worker.log().splitlines()[-80:]
    for wanted in ("ended because", "ends because", "took longer than", "rror: "):
        for line in reversed(lines):
            if wanted in line:
                return line.partition(wanted)[2].strip(" :")[:200] or line.strip()[:200]
    return lines[-1].strip()[:200] if lines else ""


def clear(folder: Path) -> None:
    """Remove what is in a folder, not the folder: it may be a mount."""
    for entry in list(folder.iterdir()) if folder.exists() else []:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
