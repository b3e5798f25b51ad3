"""What the faults strike: the service here, stock Faust in :mod:`tests.chaos.systems.stock`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from streams.bundles.bundle import Bundle
from streams.errors import RecordError
from streams.intake.dead_letters import dead_letter
from streams.runtime.topics import changelog_topic, wanted_topics
from streams.settings import Settings, load_settings
from streams.subscribe.schema import InterestUpdate, decode
from tests.bundles import make_tiny_bundle
from tests.chaos.systems.topics import create_topics, read_all
from tests.chaos.traffic import Step, local_id, number_at, owned, steps
from tests.chaos.verdict.judge import Published, Verdict, expected_vectors
from tests.chaos.verdict.trace import trace
from tests.e2e.reference import (
    read_topic,
    sequential_states,
    states_of_changelog,
    vectors_of_states,
)
from tests.workers import PLATFORMS, ROOT, WorkerProcess

REBUILD_USERS_S: Final = 500.0
Answers = Iterable[tuple[Hashable, int]]

POISON: Final = (
    b"",
    b"\xff\xfe\x00\x01",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"user_id": 7}',
    b'{"user_id": "u", "local_id": "l", "item_id": {}}',
    b'{"user_id": "u", "local_id": "l", "item_id": "i", "time": "yesterday"}',
    b'{"user_id": "u", "local_id": "l", "item_id": "i", "time": 9999999999999}',
    b'{"user_id": "u", "local_id": "l", "items": []}',
)


class System(Protocol):
    """What runs under the faults."""

    name: str
    repeats: float
    bulk: list[tuple[str, int, int]]

    def make(self, name: str, folder: Path, bootstrap: Sequence[str]) -> WorkerProcess:
        """A worker, not started."""

    def prepare(self, bootstrap: str, first: WorkerProcess) -> None:
        """Make the topics."""

    def ready(self, worker: WorkerProcess) -> bool:
        """Whether it reads events."""

    def steps(self) -> Iterator[Step]:
        """What is sent."""

    def partition(self, step: Step) -> int | None:
        """Where a step is sent; None lets the producer choose."""

    def answers_of(self, step: Step) -> tuple[Hashable, ...]:
        """Streams of answers, one of which will have the event."""

    def answer_topics(self) -> list[str]:
        """Topics of the answers."""

    def read(self, message: Any) -> Answers:
        """What an answer says: (stream, event)."""

    def group(self) -> tuple[str, list[str]]:
        """The consumer group, and the topics that it must have read."""

    def poison(self, bootstrap: str, rng: random.Random, count: int) -> None:
        """Send records that nobody can use."""

    def swap(self, bootstrap: str) -> str:
        """Put another model in force; says which."""

    def settled(self, bootstrap: str) -> bool:
        """Whether everything that was published is of the model in force."""

    def judge(self, bootstrap: str, sent: list[Step]) -> Verdict:
        """Compare what is there with what was sent."""

    def trace(self, bootstrap: str, sent: list[Step], users: set[str]) -> list[str]:
        """What the topics say of some users whose states are wrong."""


class Service:
    """interest-stream.

    Args:
        folder: for the bundle.
        prefix: of all topics.
        seed: of the traffic.
        replicas: of each topic.
        session_s: session time-out.
    """

    name = "interest-stream"
    repeats = 0.02

    def __init__(
        self, folder: Path, prefix: str, seed: int, replicas: int, session_s: float
    ) -> None:
        self._prefix, self._seed = prefix, seed
        self._bundles = [make_tiny_bundle(folder / f"bundle-{n}", seed=n) for n in range(2)]
        self._swaps = 0
        kafka = {"replication_factor": replicas, "session_timeout_s": session_s}
        self._sections = {"kafka": {**kafka, "heartbeat_interval_s": 1}}
        self._settings: Settings | None = None
        self.bulk: list[tuple[str, int, int]] = []

    @property
    def bundle(self) -> Path:
        """The bundle in force."""
        return self._bundles[self._swaps % 2]

    @property
    def settings(self) -> Settings:
        """Settings of any worker."""
        assert self._settings is not None, "make a worker first"
        return self._settings

    def make(self, name: str, folder: Path, bootstrap: Sequence[str]) -> WorkerProcess:
        sections: dict[str, dict[str, Any]] = {
            "kafka": {**self._sections["kafka"], "bootstrap": list(bootstrap)},
            "bundles": {"rebuild_users_s": REBUILD_USERS_S},
        }
        boot = ",".join(bootstrap)
        made = WorkerProcess.make(folder, self._bundles[0], boot, self._prefix, sections=sections)
        self._settings, self._config = load_settings(str(made.config)), made.config
        return made

    def prepare(self, bootstrap: str, first: WorkerProcess) -> None:
        replicas = self.settings.kafka.replication_factor
        create_topics(
            bootstrap,
            [
                NewTopic(t.name, t.partitions, replicas, config=t.configs)
                for t in wanted_topics(self.settings)
            ],
        )

    def ready(self, worker: WorkerProcess) -> bool:
        return worker.ready()

    def steps(self) -> Iterator[Step]:
        return steps(self._prefix, self._seed)

    def partition(self, step: Step) -> int | None:
        return None

    def answers_of(self, step: Step) -> tuple[Hashable, ...]:
        return (step.key, step.user) if step.key != step.user else (step.user,)

    def answer_topics(self) -> list[str]:
        return sorted(set(self.settings.output_topics().values()))

    def read(self, message: Any) -> Answers:
        if not message.value():
            return
        try:
            update = decode(message.value(), message.headers())
        except RecordError:
            return
        if isinstance(update, InterestUpdate):
            yield update.user, number_at(update.as_of_ms)

    def group(self) -> tuple[str, list[str]]:
        topics = [*self.settings.intake_topics(), self.settings.events.topic]
        return self.settings.service.name, topics

    def poison(self, bootstrap: str, rng: random.Random, count: int) -> None:
        options = {"enable.idempotence": True, "message.timeout.ms": 0, "log_level": 0}
        producer = Producer({"bootstrap.servers": bootstrap, **options})
        topics = [t for p in self.settings.platforms for t in p.event_topics()]
        for _ in range(count):
            value = rng.choice(POISON)
            producer.produce(rng.choice(topics), value=value, on_delivery=self._poisoned)
            producer.poll(0)
        assert producer.flush(120) == 0, "the brokers didn't take the poison in 120 s"

    def _poisoned(self, error: Any, message: Any) -> None:
        assert error is None, error
        if message.value():  # a record without a value is counted, and no letter's business
            self.bulk.append((message.topic(), message.partition(), message.offset()))

    def swap(self, bootstrap: str) -> str:
        self._swaps += 1
        command = [
            sys.executable,
            "-m",
            "streams.cli",
            "bundle",
            "--config",
            str(self._config),
        ]
        done = subprocess.run(
            [*command, "announce", str(self.bundle)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "INTEREST_STREAM__KAFKA__BOOTSTRAP": bootstrap},
        )
        if done.returncode != 0:
            self._swaps -= 1
            raise RuntimeError(done.stderr[-300:])
        return done.stdout.split(":")[0]

    def settled(self, bootstrap: str) -> bool:
        if not self._swaps:
            return True
        wanted = Bundle.load(self.bundle).bundle_id
        return all(update.bundle == wanted for update in self._updates(bootstrap).values())

    def judge(self, bootstrap: str, sent: list[Step]) -> Verdict:
        # After a swap too: what a rebuild from the window leaves out has faded by then.
        verdict, settings = Verdict(), self.settings
        service = {"users_in_memory": 400_000, "bundle": self.bundle}
        wide = settings.model_copy(update={"service": settings.service.model_copy(update=service)})
        expected = sequential_states(wide, (step.native for step in owned(sent)))
        topic = changelog_topic(settings)
        entries = {k: r.value for k, r in read_topic(bootstrap, topic).items()}
        verdict.compare_states(states_of_changelog(wide, entries), expected)
        interests = vectors_of_states(self.bundle, expected)
        linked = {step.user: local_id(step.user) for step in sent if step.is_link}
        wanted = expected_vectors(expected, interests, PLATFORMS, linked)
        verdict.compare_vectors(self._published(bootstrap), wanted)
        letters = read_all(bootstrap, settings.deadletter.topic)
        found = [dead_letter.decode(m.value()) for m in letters]
        verdict.compare_letters([(x.topic, x.partition, x.offset) for x in found], self.bulk)
        return verdict

    def _published(self, bootstrap: str) -> dict[tuple[str, str], Published]:
        return {place: Published.of(one) for place, one in self._updates(bootstrap).items()}

    def _updates(self, bootstrap: str) -> dict[tuple[str, str], InterestUpdate]:
        """The last update of each id on each target."""
        found: dict[tuple[str, str], InterestUpdate] = {}
        for target, topic in self.settings.output_topics().items():
            for record in read_topic(bootstrap, topic).values():
                update = decode(record.value, record.headers)
                found[target, update.id] = update
        return found

    def trace(self, bootstrap: str, sent: list[Step], users: set[str]) -> list[str]:
        return trace(bootstrap, self.settings, sent, users)
