"""A worker as a process of its own, as the demo and the replay job run it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client.parser import text_string_to_metric_families

from streams.errors import InterestStreamError

READY_PATH: Final = "/health/ready"
METRICS_PATH: Final = "/metrics"
POLL_S: Final = 0.1
STOP_S: Final = 15.0
GONE_S: Final = 3.0
LOG_LINES: Final = 25


class WorkerProcessError(InterestStreamError):
    """The worker didn't get ready, or ended before it was told to."""


def write_config(path: Path, sections: Mapping[str, Any]) -> None:
    """Write settings as TOML: tables, and lists of tables, of plain values.

    Args:
        path: the file.
        sections: section name to its fields, or to a list of such (``platforms``).
    """
    lines: list[str] = []
    for name, section in sections.items():
        tables = section if isinstance(section, list) else [section]
        header = f"[[{name}]]" if isinstance(section, list) else f"[{name}]"
        for table in tables:
            lines += ["", header, *(f"{key} = {_toml(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines).lstrip() + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, Path):
        value = str(value)
    # Text, numbers and booleans look the same in JSON and TOML.
    return json.dumps(value, ensure_ascii=False)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class WorkerProcess:
    """``interest-stream worker`` for as long as the ``with`` block lasts.

    It runs in a session of its own, so that Ctrl-C in the terminal reaches the parent alone,
    which then stops it in order.

    Args:
        config: the settings file.
        http: base URL of its web server, as the settings have it.
        log: file for what it prints.
        command: instead of the real worker (tests).
    """

    def __init__(
        self, config: Path, http: str, log: Path, command: Sequence[str] | None = None
    ) -> None:
        self.http = http
        self.log = log
        words = command or (
            sys.executable,
            "-m",
            "streams.cli",
            "worker",
            "--config",
            str(config),
        )
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # One thread each: the machine may have few cores, and the batches are small.
                env={"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **os.environ},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self, stopping: threading.Event | None = None, timeout_s: float = 60.0) -> bool:
        """Wait until the worker reads events; False if ``stopping`` was set before that.

        Raises:
            WorkerProcessError: it ended, or isn't ready in time; the message ends with the
                last lines of its log.
        """
        deadline, never = time.monotonic() + timeout_s, threading.Event()
        while not self._answers():
            self.check()
            if time.monotonic() > deadline:
                raise self._error(f"the worker isn't ready after {timeout_s:g} s")
            if (stopping or never).wait(POLL_S):
                return False
        return True

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            WorkerProcessError: it ended.
        """
        code = self._process.poll()
        if code is not None:
            raise self._error(f"the worker ended with exit code {code}")

    def totals(self) -> dict[str, float]:
        """Its counters and gauges, each summed over labels; and ``name{label=value}`` apart.

        Raises:
            WorkerProcessError: it doesn't answer.
        """
        try:
            text = self._get(METRICS_PATH).decode()
        except OSError as error:
            # Its web server goes first when it ends; then the exit code says more.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GONE_S)
            self.check()
            raise self._error(f"{self.http}{METRICS_PATH} doesn't answer ({error})") from error
        return sum_metrics(text)

    def stuck(self, what: str) -> WorkerProcessError:
        """An error that says what doesn't get on, with the end of the worker's log."""
        return self._error(what)

    def stop(self) -> int:
        """Stop it in order, by force after 15 seconds; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def _answers(self) -> bool:
        try:
            self._get(READY_PATH)
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.http + path, timeout=5) as response:
            return bytes(response.read())

    def _error(self, what: str) -> WorkerProcessError:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n".join(f"  | {line}" for line in lines[-LOG_LINES:])
        return WorkerProcessError(f"{what}; the end of its log {self.log}:\n{tail}")


def sum_metrics(text: str) -> dict[str, float]:
    """Samples of a Prometheus exposition: summed by name, and by name with one label.

    ``{"x_total": 3, 'x_total{reason="late"}': 1, ...}``.
    """
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            names = [sample.name]
            names += [f'{sample.name}{{{k}="{v}"}}' for k, v in sample.labels.items()]
            for name in names:
                sums[name] = sums.get(name, 0.0) + sample.value
    return sums
