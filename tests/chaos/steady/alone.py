"""One broker and one worker without faults, and what the worker uses: for overload and soak."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from confluent_kafka import Producer

from deploy.kafka import KafkaServer
from streams.demo.worker_process import sum_metrics
from streams.settings import Settings, load_settings
from tests.chaos.systems.systems import Service
from tests.chaos.systems.topics import lag
from tests.e2e.traffic import START_MS
from tests.workers import ACTIONS, WORKER, WorkerProcess

HEAP_MB: Final = 512
APPLIED: Final = "interest_events_applied_total"
ASK_S: Final = 60.0
USERS: Final = 20_000
ITEMS: Final = 50
BROKER: Final = {
    "log.segment.bytes": str(64 << 20),
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
}


@dataclass(frozen=True)
class Alone:
    """A worker on a broker of its own.

    Attributes:
        service: knows the topics, and how far the group is.
    """

    kafka: KafkaServer
    worker: WorkerProcess
    service: Service

    @property
    def settings(self) -> Settings:
        """The worker's."""
        return load_settings(str(self.worker.config))

    def rss_mib(self) -> float:
        """Resident memory of the worker's process."""
        status = Path(f"/proc/{self.worker.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def applied(self) -> float:
        """Events that became a step of a state; asks again where a busy worker doesn't answer."""
        deadline = time.monotonic() + ASK_S
        while True:
            try:
                url = f"http://127.0.0.1:{self.worker.port}/metrics"
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return sum_metrics(answer.read().decode()).get(APPLIED, 0.0)
            except OSError:
                if time.monotonic() > deadline or self.worker.process.poll() is not None:
                    raise

    def lag(self) -> int:
        """Records that aren't committed."""
        return lag(self.kafka.bootstrap, *self.service.group())


@contextmanager
def alone(folder: Path, prefix: str, command: Sequence[str] = WORKER) -> Iterator[Alone]:
    """Start both, the worker by ``command``; its log stays in ``folder``.

    SIGTERM ends both, too.
    """
    signal.signal(signal.SIGTERM, _leave)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    service = Service(folder, prefix, seed=1, replicas=1, session_s=10)
    with ExitStack() as stack:
        kafka = stack.enter_context(KafkaServer(heap_mb=HEAP_MB, properties=BROKER))
        worker = service.make("W1", folder / "W1", [kafka.bootstrap])
        worker.command = command
        service.prepare(kafka.bootstrap, worker)
        stack.enter_context(worker)
        worker.wait_ready()
        yield Alone(kafka, worker, service)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # through all context managers


class Flood:
    """Sends events of a fixed population as fast as is asked for, or as it can.

    Args:
        bootstrap: the broker.
        prefix: of the topics.
        users: people.
    """

    def __init__(self, bootstrap: str, prefix: str, users: int = USERS) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 0,
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )
        platforms = ("video", "news")
        # Each user's events in one topic: their order is that of their times.
        self._people = [
            (f"{prefix}.{platforms[n % 2]}.{ACTIONS[n % 3]}", f"user-{n}", platforms[n % 2])
            for n in range(users)
        ]
        self.sent = 0
        self._stop = threading.Event()

    def send(self, count: int) -> None:
        """So many more events."""
        produce, people = self._producer.produce, self._people
        for number in range(self.sent, self.sent + count):
            topic, user, platform = people[number % len(people)]
            value = (
                f'{{"event_id":"e{number}","user_id":"{user}",'
                f'"item_id":"{platform}-{number % ITEMS}","time":{START_MS + number}}}'
            )
            while True:
                try:
                    produce(topic, value, user)
                    break
                except BufferError:  # the broker is slower than we are
                    self._producer.poll(0.05)
        self.sent += count
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has everything."""
        assert self._producer.flush(300) == 0, "the broker didn't take what was sent in 300 s"

    @contextmanager
    def at(self, rate: float) -> Iterator[None]:
        """Send on a thread at a rate, until the block ends."""
        self._stop.clear()
        thread = threading.Thread(target=self._run, args=(rate,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(60)
            self.flush()

    def _run(self, rate: float) -> None:
        began, first = time.monotonic(), self.sent
        while not self._stop.wait(0.005):
            due = int((time.monotonic() - began) * rate) - (self.sent - first)
            self.send(min(due, 5_000))


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write it, and show it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    shown = {k: v for k, v in report.items() if not isinstance(v, list)}
    print(json.dumps(shown, indent=1), flush=True)  # noqa: T201
