"""Worker processes on a broker, what is sent to them, and what they publish."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

from deploy.kafka.process import free_port
from streams.demo.worker_process import write_config
from streams.intake.dead_letters import dead_letter
from streams.subscribe.schema import InterestUpdate, decode

ROOT = Path(__file__).resolve().parents[1]
PLATFORMS = {"video": "shared", "shop": "linked", "news": "shared"}
ACTIONS = ("browse", "click", "purchase")
WORKER = (sys.executable, "-m", "streams.cli", "worker")

Found = TypeVar("Found")
Sections = Mapping[str, Mapping[str, Any]]


def write_settings(
    folder: Path,
    bundle: Path,
    bootstrap: str,
    prefix: str,
    *,
    port: int,
    sections: Sections | None = None,
) -> Path:
    """A worker's settings; all topics carry ``prefix``, the state lies in ``folder``.

    ``sections`` are further settings; they win.
    """
    made: dict[str, Any] = {
        "service": {"name": prefix, "bundle": bundle, "state_dir": folder / "state"},
        "kafka": {"bootstrap": [bootstrap], "session_timeout_s": 6, "heartbeat_interval_s": 1},
        "events": {"topic": f"{prefix}.events", "partitions": 8},
        "output": {"topic": f"{prefix}.vectors.{{target}}"},
        "deadletter": {"topic": f"{prefix}.deadletter"},
        "consent": {"topic": f"{prefix}.consent"},
        "erasure": {"topic": f"{prefix}.erasure"},
        "bundles": {"topic": f"{prefix}.bundles", "status_topic": f"{prefix}.bundles.status"},
        "http": {"port": port},
    }
    for name, section in (sections or {}).items():
        made[name] = {**made.get(name, {}), **section}
    made["platforms"] = [_platform(prefix, name, ids) for name, ids in PLATFORMS.items()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "worker.toml"
    write_config(path, made)
    return path


def _platform(prefix: str, name: str, ids: str) -> dict[str, Any]:
    topics = {action: [f"{prefix}.{name}.{action}"] for action in ACTIONS}
    made = {"name": name, "ids": ids, "items": f"{prefix}.{name}.items", "topics": topics}
    return made | ({"links": f"{prefix}.{name}.links"} if ids == "linked" else {})


@dataclass
class WorkerProcess:
    """One worker as a child process; its output goes to ``worker.log`` beside its settings.

    Args:
        command: what starts it; the settings' path is in ``INTEREST_STREAM_CONFIG``.
    """

    config: Path
    port: int
    command: Sequence[str] = WORKER
    process: subprocess.Popen[bytes] = field(init=False)

    @classmethod
    def make(
        cls,
        folder: Path,
        bundle: Path,
        bootstrap: str,
        prefix: str,
        *,
        sections: Sections | None = None,
        command: Sequence[str] = WORKER,
    ) -> Self:
        port = free_port()
        path = write_settings(folder, bundle, bootstrap, prefix, port=port, sections=sections)
        return cls(path, port, command)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> Self:
        with (self.config.parent / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "INTEREST_STREAM_CONFIG": str(self.config),
                },
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
        """End it at once, if it was ever started; it may be asleep or have ended already."""
        process: subprocess.Popen[bytes] | None = getattr(self, "process", None)
        if process is not None:
            process.kill()
            process.wait(10)


class Broker:
    """A producer, and a reader of everything that some topics have had.

    Args:
        bootstrap: the broker.
        outputs: topics to read from their beginning; they must exist.
        options: options of :class:`kafka.KafkaConsumer` that the broker calls for.
    """

    def __init__(self, bootstrap: str, outputs: Sequence[str], **options: Any) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,  # a user's events stay in their order
                "linger.ms": 1,
                "log_level": 0,
            }
        )
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=20,
            **options,
        )
        self._consumer.assign(
            [
                TopicPartition(topic, partition)
                for topic in outputs
                for partition in sorted(self._consumer.partitions_for_topic(topic) or ())
            ]
        )
        self.records: dict[str, list[Any]] = {topic: [] for topic in outputs}

    def close(self) -> None:
        self._consumer.close()

    def send(self, topic: str, key: str | None, value: Any) -> tuple[int, int]:
        """Produce one record and wait for it; its partition and offset."""
        raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        places: list[tuple[int, int]] = []

        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            places.append((message.partition(), message.offset()))

        self._producer.produce(topic, key=key, value=raw, on_delivery=delivered)
        assert self._producer.flush(30) == 0
        return places[0]

    def read(self) -> None:
        """Take what has arrived."""
        for place, records in self._consumer.poll(timeout_ms=100).items():
            self.records[place.topic] += records

    def until(self, look: Callable[[], Found | None], what: str, timeout_s: float = 30) -> Found:
        """Read on until ``look`` finds something true."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
            self.read()
        return found

    def last(self, topic: str, key: str) -> Any:
        """The last record of a key; None where there is none."""
        records = [r for r in self.records[topic] if r.key == key.encode()]
        return records[-1] if records else None

    def update(self, topic: str, key: str, events: int) -> Callable[[], InterestUpdate | None]:
        """Looks for the last update of a key, if it has so many events behind it."""

        def look() -> InterestUpdate | None:
            record = self.last(topic, key)
            if record is None or not record.value:
                return None
            update = decode(record.value, record.headers)
            return update if update.events == events else None

        return look

    def letters(self, dead: str, **wanted: Any) -> list[dead_letter.DeadLetter]:
        """Letters on the topic ``dead`` with these attributes."""
        letters = [dead_letter.decode(r.value) for r in self.records[dead]]
        return [x for x in letters if all(getattr(x, k) == v for k, v in wanted.items())]


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.1)  # between two questions; the answer decides
