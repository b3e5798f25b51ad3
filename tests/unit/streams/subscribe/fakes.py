"""A topic in memory behind the part of KafkaConsumer that a feed uses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaError

from streams.publish.encode import VectorEncoder
from tests.unit.streams.vectors import vector_batch


class Record(NamedTuple):
    """Fields of kafka-python's ConsumerRecord that matter here."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass
class FakeTopic:
    """One topic; calling it makes a consumer, as the feed's ``consumer=`` argument does."""

    name: str = "interest.vectors.shop"
    partitions: int = 2
    ends: dict[int, int] = field(default_factory=dict)
    records: dict[int, list[Record]] = field(default_factory=dict)
    # Errors that the next constructions and polls raise; None: that one works.
    connect_errors: deque[KafkaError | None] = field(default_factory=deque)
    poll_errors: deque[KafkaError | None] = field(default_factory=deque)
    consumers: list[FakeConsumer] = field(default_factory=list)
    # When everything was read, a poll calls this (close the feed, add records).
    when_idle: Any = None

    def add(
        self,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
        gap: int = 0,
    ) -> None:
        """Append a record, after ``gap`` offsets that compaction removed."""
        offset = self.ends.get(partition, 0) + gap
        record = Record(self.name, partition, offset, key, value, list(headers))
        self.records.setdefault(partition, []).append(record)
        self.ends[partition] = offset + 1

    def publish(self, encoder: VectorEncoder, id: str, number: float = 1.0) -> None:
        """Append an update whose vector is ``[number, 0]``, for target ``shop``."""
        self.publish_for("shop", encoder, id, number)

    def publish_for(self, target: str, encoder: VectorEncoder, id: str, number: float) -> None:
        """Append an update to the partition of the key."""
        batch = vector_batch([id], [[number, 0.0]], [1.0])
        for key, value in encoder.encode(target, batch, 2):
            self.add(sum(key) % self.partitions, key, value, encoder.headers)

    def __call__(self, **options: Any) -> FakeConsumer:
        error = self.connect_errors.popleft() if self.connect_errors else None
        if error is not None:
            raise error
        self.consumers.append(FakeConsumer(self, options))
        return self.consumers[-1]


class FakeConsumer:
    """Reads a FakeTopic; at most two records of a partition at a time."""

    def __init__(self, topic: FakeTopic, options: dict[str, Any]) -> None:
        self.topic = topic
        self.options = options
        self.closed = False
        self.positions: dict[TopicPartition, int] = {}

    def partitions_for_topic(self, name: str) -> set[int]:
        return set(range(self.topic.partitions)) if name == self.topic.name else set()

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self.topic.ends.get(p.partition, 0) for p in partitions}

    def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, -1)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    def position(self, partition: TopicPartition, timeout_ms: int) -> int:
        return self.positions[partition]

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        error = self.topic.poll_errors.popleft() if self.topic.poll_errors else None
        if error is not None:
            raise error
        found = {}
        for partition, position in self.positions.items():
            stored = self.topic.records.get(partition.partition, [])
            records = [record for record in stored if record.offset >= position][:2]
            if records:
                found[partition] = records
                self.positions[partition] = records[-1].offset + 1
            else:
                self.positions[partition] = max(
                    position, self.topic.ends.get(partition.partition, 0)
                )
        if not found and self.topic.when_idle is not None:
            self.topic.when_idle()
        return found

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        assert not autocommit
        self.closed = True
