"""Sending whole batches: one idempotent producer, record batches per partition."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.errors import PublishError
from streams.log.partition import partitions_of

MAX_BATCH_BYTES: Final = 900_000
"""Below the broker's default ``message.max.bytes`` of 1 MiB, with room for the batch header."""

Headers = list[tuple[str, bytes]]
Record = tuple[bytes | None, bytes | None, int, Headers]
"""key, value, timestamp in ms, headers"""

NO_HEADERS: Final[Headers] = []


class Publisher:
    """Sends records to given partitions and waits for all acknowledgements.

    Records of one partition arrive in the order in which they were given: the producer is
    idempotent, and after a failed batch the broker refuses the later ones.

    Args:
        options: options of :class:`aiokafka.AIOKafkaProducer` (bootstrap, security).
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self.sent_bytes = 0

    async def start(self) -> None:
        """Connect."""
        self._producer = self._make_producer(enable_idempotence=True)
        await self._producer.start()

    def _make_producer(self, **more: Any) -> aiokafka.AIOKafkaProducer:
        return aiokafka.AIOKafkaProducer(
            **self._options, acks="all", linger_ms=0, max_batch_size=MAX_BATCH_BYTES, **more
        )

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    @property
    def producer(self) -> aiokafka.AIOKafkaProducer:
        """The producer, after :meth:`start`."""
        assert self._producer is not None, "the publisher hasn't been started"
        return self._producer

    async def partitions(self, topic: str) -> int:
        """Number of partitions of a topic."""
        return len(await self.producer.partitions_for(topic))

    async def send(self, topic: str, records: Mapping[int, Iterable[Record]]) -> Sent:
        """Hand records to the producer, by partition; :meth:`Sent.wait` says when they're in."""
        sent = Sent(topic)
        for partition, of_partition in records.items():
            await self._send_partition(topic, partition, of_partition, sent)
        return sent

    async def _send_partition(
        self, topic: str, partition: int, records: Iterable[Record], sent: Sent
    ) -> None:
        rest = list(records)
        while rest:
            builder: BatchBuilder = self.producer.create_batch()
            packed = _append(builder, rest)
            await self._send_builder(topic, partition, builder, sent)
            del rest[:packed]

    async def _send_builder(
        self, topic: str, partition: int, builder: BatchBuilder, sent: Sent
    ) -> None:
        count = builder.record_count()
        if builder.size() > MAX_BATCH_BYTES:  # a batch takes its first record whatever its size
            raise PublishError(
                f"a record of {builder.size()} bytes for {topic}-{partition} doesn't fit into a "
                f"record batch of {MAX_BATCH_BYTES} bytes; lower window.events"
            )
        if count:
            self.sent_bytes += builder.size()
            future = await self.producer.send_batch(builder, topic, partition=partition)
            sent.add(partition, count, future)


def _append(builder: BatchBuilder, records: Sequence[Record]) -> int:
    """Append as many records as fit, at least one; how many they were.

    Straight to the compiled builder inside: what aiokafka puts around it takes two thirds of
    the time.
    """
    append = builder._builder.append
    for position, (key, value, timestamp_ms, headers) in enumerate(records):
        if append(position, timestamp_ms, key, value, headers) is None:
            break
        builder._relative_offset = position + 1
    builder.close()
    packed: int = builder.record_count()
    return packed


def by_partition(records: list[Record], partitions: int) -> dict[int, list[Record]]:
    """Records under the partitions of their keys, as Java's producers choose them.

    Records without a key go to partition 0.
    """
    if not records:
        return {}
    chosen: dict[int, list[Record]] = defaultdict(list)
    numbers = partitions_of([record[0] or b"" for record in records], partitions)
    for record, number in zip(records, numbers, strict=True):
        chosen[number if record[0] else 0].append(record)
    return chosen


class KeyedPublisher:
    """Sends records to the partitions of their keys.

    Args:
        publisher: sends them.
        partitions: partitions of every topic, by name; filled before the first record.
    """

    def __init__(self, publisher: Publisher, partitions: Mapping[str, int]) -> None:
        self._publisher = publisher
        self.partitions = partitions

    async def send(self, topic: str, records: list[Record]) -> Sent:
        """Hand records to the producer; :meth:`Sent.wait` says when they're in."""
        return await self._publisher.send(topic, by_partition(records, self.partitions[topic]))


class Sent:
    """Acknowledgements under way of one topic's records."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._futures: list[tuple[int, int, asyncio.Future[Any]]] = []

    def add(self, partition: int, count: int, future: asyncio.Future[Any]) -> None:
        """One more record batch, of ``count`` records."""
        self._futures.append((partition, count, future))

    async def wait(self) -> dict[int, int]:
        """Wait for all; the last offset of each partition where the broker said it.

        Raises:
            PublishError: a batch wasn't acknowledged.
        """
        last: dict[int, int] = {}
        for partition, count, future in self._futures:
            try:
                metadata = await future
            except KafkaError as error:
                raise PublishError(
                    f"records for {self.topic}-{partition} weren't acknowledged: {error!r}; "
                    "nothing of their batch is committed, it is read again"
                ) from error
            if metadata is not None:  # None: acknowledged as a repeat, without its offset
                last[partition] = metadata.offset + count - 1
        return last


def now_ms() -> int:
    """The wall clock, in ms since 1970."""
    return time.time_ns() // 1_000_000
