"""The broker of the benchmark, and what is read from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deploy.kafka import KafkaServer
from tests.bench.race.process import pin

HEAP_MB = 1024
LEADER_S = 30.0
INTERNAL = "__"
"""How the names of Kafka's own topics begin: offsets of groups, states of transactions."""
PROPERTIES = {
    # When the broker had a record is what counts, not when its producer made it.
    "log.message.timestamp.type": "LogAppendTime",
    # Nothing but the contestants' work is measured.
    "log.cleaner.enable": "false",
    "log.retention.check.interval.ms": "86400000",
}


@contextmanager
def bench_broker(core: int) -> Iterator[KafkaServer]:
    """Apache Kafka from its jars on one core."""
    with KafkaServer(heap_mb=HEAP_MB, properties=PROPERTIES) as server:
        assert server.pid is not None
        pin(core, server.pid)
        yield server


@dataclass(frozen=True)
class Record:
    """A record as it lies in the broker; ``when`` in seconds since 1970."""

    partition: int
    offset: int
    when: float
    key: bytes
    value: bytes | None


class Topics:
    """Makes, reads and deletes topics."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench-reader",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "fetch.queue.backoff.ms": 10,
                "queued.min.messages": 1_000_000,
                # The last offset may be a transaction's mark, which no reader is shown.
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )

    def make(self, names: Sequence[str], partitions: int) -> None:
        """Create topics that aren't there yet."""
        if not names:
            return
        made = self._admin.create_topics([NewTopic(name, partitions) for name in names])
        for future in made.values():
            try:
                future.result(30)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def names(self) -> set[str]:
        """All topics that there are, but the broker's own: those are nobody's to delete."""
        found = self._admin.list_topics(timeout=30).topics
        return {name for name in found if not name.startswith(INTERNAL)}

    def delete(self, names: Sequence[str]) -> None:
        """Delete topics with their data."""
        if names:
            for future in self._admin.delete_topics(list(names)).values():
                future.result(30)

    def ends(self, topic: str, partitions: int) -> list[int]:
        """End offset of each partition; a partition that was made just now may lack its leader."""
        return [self._end(TopicPartition(topic, number)) for number in range(partitions)]

    def _end(self, place: TopicPartition) -> int:
        deadline = time.monotonic() + LEADER_S
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(place, timeout=30)[1])
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # asked again; the answer decides

    def read(self, topic: str, begin: Sequence[int] | None, ends: Sequence[int]) -> list[Record]:
        """Records from ``begin`` (None: the beginning) up to end offsets, by time of arrival."""
        starts = list(begin) if begin is not None else [OFFSET_BEGINNING] * len(ends)
        waiting = {p for p, end in enumerate(ends) if end > max(0, starts[p])}
        self._consumer.assign([TopicPartition(topic, p, starts[p]) for p in waiting])
        found: list[Record] = []
        while waiting:
            for message in self._consumer.consume(10_000, 1.0):
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                error = message.error()
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    waiting.discard(partition)
                elif offset < ends[partition]:
                    when = message.timestamp()[1] / 1000.0
                    key, value = message.key() or b"", message.value()
                    found.append(Record(partition, offset, when, key, value))
                if offset + 1 >= ends[partition]:
                    waiting.discard(partition)
        self._consumer.unassign()
        found.sort(key=lambda record: record.when)  # stable: a partition stays in its order
        return found

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
