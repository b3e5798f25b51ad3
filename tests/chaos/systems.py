"""What the faults strike: the service here, stock Faust in :mod:`tests.chaos.stock`."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from streams.errors import RecordError
from streams.intake import deadletter
from streams.output.schema import InterestUpdate, decode
from streams.runtime.checks import changelog_topic, wanted_topics
from streams.settings import Settings, load_settings
from tests.bundles import make_tiny_bundle
from tests.chaos.judge import Published, Verdict, expected_vectors
from tests.chaos.traffic import Step, local_id, number_at, owned, steps
from tests.e2e.reference import (
    read_topic,
    sequential_states,
    states_of_changelog,
    vectors_of_states,
)
from tests.workers import PLATFORMS, WorkerProcess, wait_until

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

    def judge(self, bootstrap: str, sent: list[Step]) -> Verdict:
        """Compare what is there with what was sent."""


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
        self._bundle = make_tiny_bundle(folder / "bundle")
        kafka = {"replication_factor": replicas, "session_timeout_s": session_s}
        self._sections = {"kafka": {**kafka, "heartbeat_interval_s": 1}}
        self._settings: Settings | None = None
        self.bulk: list[tuple[str, int, int]] = []

    @property
    def settings(self) -> Settings:
        """Settings of any worker."""
        assert self._settings is not None, "make a worker first"
        return self._settings

    def make(self, name: str, folder: Path, bootstrap: Sequence[str]) -> WorkerProcess:
        sections = {"kafka": {**self._sections["kafka"], "bootstrap": list(bootstrap)}}
        boot = ",".join(bootstrap)
        made = WorkerProcess.make(folder, self._bundle, boot, self._prefix, sections=sections)
        self._settings = load_settings(str(made.config))
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

    def judge(self, bootstrap: str, sent: list[Step]) -> Verdict:
        verdict, settings = Verdict(), self.settings
        wide = settings.model_copy(
            update={"service": settings.service.model_copy(update={"users_in_memory": 400_000})}
        )
        expected = sequential_states(wide, (step.native for step in owned(sent)))
        topic = changelog_topic(settings)
        entries = {k: r.value for k, r in read_topic(bootstrap, topic).items()}
        verdict.compare_states(states_of_changelog(settings, entries), expected)
        interests = vectors_of_states(self._bundle, expected)
        linked = {step.user: local_id(step.user) for step in sent if step.is_link}
        wanted = expected_vectors(expected, interests, PLATFORMS, linked)
        verdict.compare_vectors(self._published(bootstrap), wanted)
        letters = read_all(bootstrap, settings.deadletter.topic)
        found = [deadletter.decode(m.value()) for m in letters]
        verdict.compare_letters([(x.topic, x.partition, x.offset) for x in found], self.bulk)
        return verdict

    def _published(self, bootstrap: str) -> dict[tuple[str, str], Published]:
        found: dict[tuple[str, str], Published] = {}
        for target, topic in self.settings.output_topics().items():
            for record in read_topic(bootstrap, topic).values():
                update = decode(record.value, record.headers)
                if isinstance(update, InterestUpdate):
                    found[target, update.id] = Published(update.events, update.vector)
        return found


def create_topics(bootstrap: str, topics: Sequence[NewTopic]) -> None:
    """Create topics, and wait until the brokers have."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(list(topics)).values():
        future.result(60)
    wanted = {topic.topic: topic.num_partitions for topic in topics}
    wait_until(lambda: _led(admin) >= wanted.items(), 60, "the brokers show the new topics")


def _led(admin: AdminClient) -> Set[tuple[str, int]]:
    """Topics whose every partition has a leader, with the number of partitions."""
    found = admin.list_topics(timeout=30).topics.values()
    led = {t.topic: [p.leader >= 0 for p in t.partitions.values()] for t in found}
    return {(str(name), len(leaders)) for name, leaders in led.items() if all(leaders)}


def consumer_of(bootstrap: str, group: str = "chaos-judge") -> Any:
    """A consumer that joins no group and commits nothing."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted",
            "log_level": 0,
        }
    )


def partitions_of(consumer: Any, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of some topics, from its beginning."""
    known: Mapping[str, Any] = consumer.list_topics(timeout=30).topics
    return [TopicPartition(t, p, 0) for t in topics for p in known[t].partitions]


def read_all(bootstrap: str, topic: str) -> list[Any]:
    """Every record of a topic."""
    consumer = consumer_of(bootstrap)
    try:
        places = partitions_of(consumer, [topic])
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=30)[1] for p in places}
        consumer.assign(places)
        records: list[Any] = []
        deadline = time.monotonic() + 120
        while any(p.offset < ends[p.partition] for p in consumer.position(places)):
            assert time.monotonic() < deadline, f"{topic} couldn't be read in 120 s"
            records += [m for m in consumer.consume(5000, 0.5) if m.error() is None]
            if all(end == 0 for end in ends.values()):
                break
        return records
    finally:
        consumer.close()


def lag(bootstrap: str, system: System) -> int:
    """Records that the group hasn't committed."""
    name, topics = system.group()
    consumer = consumer_of(bootstrap, name)
    try:
        places = partitions_of(consumer, topics)
        done = {(p.topic, p.partition): p.offset for p in consumer.committed(places, timeout=30)}
        waiting = 0
        for place in places:
            low, end = consumer.get_watermark_offsets(place, timeout=30)
            waiting += end - max(low, done[place.topic, place.partition])
        return waiting
    finally:
        consumer.close()
