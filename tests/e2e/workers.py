"""Worker processes on a real broker, and what they must have done in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from deploy.kafka.server import free_port

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = {"video": "shared", "shop": "linked", "news": "shared"}


def write_settings(
    folder: Path, bundle: Path, bootstrap: str, prefix: str, *, port: int, partitions: int = 8
) -> Path:
    """A worker's settings; all topics carry ``prefix``, the state lies in ``folder``."""
    tables = []
    for name, ids in PLATFORMS.items():
        actions = {a: [f"{prefix}.{name}.{a}"] for a in ("browse", "click", "purchase")}
        lines = [f'name = "{name}"', f'ids = "{ids}"', f'items = "{prefix}.{name}.items"']
        if ids == "linked":
            lines.append(f'links = "{prefix}.{name}.links"')
        lines.append("[platforms.topics]")
        lines += [f"{action} = {json.dumps(topics)}" for action, topics in actions.items()]
        tables.append("[[platforms]]\n" + "\n".join(lines))
    text = f"""
[service]
name = "{prefix}"
bundle = "{bundle}"
state_dir = "{folder / "state"}"
[kafka]
bootstrap = ["{bootstrap}"]
session_timeout_s = 6
heartbeat_interval_s = 1
[events]
topic = "{prefix}.events"
partitions = {partitions}
[output]
topic = "{prefix}.vectors.{{target}}"
[deadletter]
topic = "{prefix}.deadletter"
[http]
port = {port}
"""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "worker.toml"
    path.write_text(text + "\n".join(tables))
    return path


@dataclass
class WorkerProcess:
    """One worker as a child process; its output goes to ``worker.log`` beside its settings."""

    config: Path
    port: int
    process: subprocess.Popen[bytes] = field(init=False)

    @classmethod
    def make(cls, folder: Path, bundle: Path, bootstrap: str, prefix: str) -> Self:
        port = free_port()
        return cls(write_settings(folder, bundle, bootstrap, prefix, port=port), port)

    def start(self) -> Self:
        with (self.config.parent / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "worker", "--config", str(self.config)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        return self

    def log(self) -> str:
        return (self.config.parent / "worker.log").read_text(errors="replace")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.loads(answer.read())

    def metric(self, name: str) -> float:
        """Sum of a metric's series; 0 while the worker doesn't answer."""
        try:
            url = f"http://127.0.0.1:{self.port}/metrics"
            with urllib.request.urlopen(url, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except (OSError, urllib.error.URLError):
            return 0.0
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith(name) and line[len(name)] in " {"
        )

    def ready(self) -> bool:
        try:
            return bool(self.get("/health/ready")["ready"])
        except (OSError, urllib.error.URLError):
            return False

    def wait_ready(self, timeout_s: float = 60) -> Self:
        wait_until(lambda: self.ready() or self._check_alive(), timeout_s, "the worker is ready")
        return self

    def _check_alive(self) -> bool:
        assert self.process.poll() is None, f"the worker has ended:\n{self.log()[-4000:]}"
        return False

    def terminate(self, timeout_s: float = 15) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.1)  # between two questions; the answer decides
