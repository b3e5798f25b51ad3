"""One writer per partition of the log: a new owner shuts out the former one, at the broker.

A worker that was paused beyond its session may wake up and send what it had in hand: an older
state over a newer one in the changelog, an older vector over a newer one. So changelog and
vectors of a log partition are sent by a producer of that partition, whose transactional id its
next owner takes over: that raises the producer's epoch. A transaction without records makes
the partitions of the vectors know the new epoch; the changelog learns it from a record that
says who owns it (Faust's recovery waits for the last offset to be a record's). From then on
the broker refuses the former owner's writes, also such that were already on their way. The
changelog is read after that.

Transactions aren't used for the data itself: source marks and the order of effects do what
they would, at a tenth of the time (docs/guarantees.md). After the markers the producer goes on
as an idempotent one with the same id and epoch.

Brokers forget an unused producer after ``producer.id.expiration.ms`` (a day) and an unused
transactional id after ``transactional.id.expiration.ms`` (a week). A worker therefore takes
its own partitions over again well before; a former owner that sleeps longer than a day isn't
shut out where the present one has written nothing since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from mode import Service

from streams.errors import PublishError
from streams.runtime.sending.publisher import NO_HEADERS, Publisher, now_ms
from streams.runtime.service_log import SERVICE_LOG
from streams.update.source_marks import OWNER

RENEW_S: Final = 6 * 3600.0
"""A partition that has been ours for so long is taken over again, from ourselves."""

NO_GENERATION: Final = -2
"""Before any generation of a group (aiokafka has -1 for none): no other follows it."""


class FencedPublisher(Publisher):
    """The only producer whose records of some partitions the broker still takes.

    Args:
        options: options of :class:`aiokafka.AIOKafkaProducer`.
        transactional_id: what the next owner will take over.
        changelog: the changelog's partition.
        vectors: every partition of the vectors.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        transactional_id: str,
        changelog: TopicPartition,
        vectors: Sequence[TopicPartition],
    ) -> None:
        super().__init__(options)
        self._transactional_id = transactional_id
        self._changelog = changelog
        self._vectors = vectors
        self.since = time.monotonic()

    async def start(self) -> None:
        """Take over: returns when no former owner's record can arrive any more.

        Raises:
            PublishError: somebody else took over meanwhile, or the broker didn't let us.
        """
        self._producer = producer = self._make_producer(transactional_id=self._transactional_id)
        try:
            await producer.start()
            await _mark(producer, self._vectors)
            # Markers are written after the answer; a partition is let into the next
            # transaction only when all of them are there.
            await _mark(producer, self._vectors[:1])
            producer._txn_manager.transactional_id = None
            await self._claim()
        except KafkaError as error:
            await self.stop()
            raise PublishError(
                f"taking over the producer {self._transactional_id!r} failed: {error!r}; another "
                "worker has taken it over since, or the principal may not use transactional ids "
                "with this prefix"
            ) from error

    async def _claim(self) -> None:
        """Write into the changelog whose it is."""
        topic, partition = self._changelog
        key, owner = f"{OWNER}{partition}".encode(), self._transactional_id.encode()
        await (await self.send(topic, {partition: [(key, owner, now_ms(), NO_HEADERS)]})).wait()


async def _mark(producer: aiokafka.AIOKafkaProducer, partitions: Sequence[TopicPartition]) -> None:
    """A transaction without records over partitions: they learn the producer's epoch."""
    await producer.begin_transaction()
    for partition in partitions:
        producer._txn_manager.maybe_add_partition_to_txn(partition)
    await producer.commit_transaction()


class PartitionPublishers:
    """A publisher for each partition of the log that this worker owns.

    Args:
        shared: the worker's own publisher, which serves all partitions where ``fencing`` is
            off (a broker without transactions has one worker).
        options: options of :class:`aiokafka.AIOKafkaProducer`.
        prefix: of the transactional ids; the partition's number follows.
        changelog: the changelog topic.
        vectors: partitions of all vector topics, once they are known.
        fencing: whether former owners are shut out.
    """

    def __init__(
        self,
        shared: Publisher,
        options: Mapping[str, Any],
        prefix: str,
        changelog: str,
        vectors: Callable[[], Sequence[TopicPartition]],
        *,
        fencing: bool,
    ) -> None:
        self._shared = shared
        self._options = dict(options)
        self._prefix = prefix
        self._changelog = changelog
        self._vectors = vectors
        self._fencing = fencing
        self._own: dict[int, FencedPublisher] = {}
        self._generation = NO_GENERATION

    async def take_over(self, partitions: Collection[int], generation: int) -> None:
        """Own exactly these partitions from here on, in a generation of the group.

        What was ours in the generation just before is ours still: nobody can have had it in
        between. (If somebody had, the broker would refuse us, and the worker would end.)
        """
        if generation != self._generation + 1:
            await self.stop()
        self._generation = generation
        await self._give_up(set(self._own) - set(partitions))
        if self._fencing:
            new = set(partitions) - set(self._own)
            await asyncio.gather(*(self._take_over(p) for p in sorted(new)))

    async def _take_over(self, partition: int) -> None:
        publisher = FencedPublisher(
            self._options,
            f"{self._prefix}{partition}",
            TopicPartition(self._changelog, partition),
            self._vectors(),
        )
        await publisher.start()
        self._own[partition] = publisher

    async def renew(self) -> None:
        """Take over again what was taken over long ago; nothing may be on its way."""
        now = time.monotonic()
        for partition, publisher in list(self._own.items()):
            if now - publisher.since > RENEW_S:
                await publisher.stop()
                await self._take_over(partition)

    def of(self, partition: int) -> Publisher:
        """The publisher of a log partition's changelog and vectors.

        Raises:
            PublishError: the partition isn't ours.
        """
        if not self._fencing:
            return self._shared
        publisher = self._own.get(partition)
        if publisher is None:
            raise PublishError(
                f"partition {partition} of the log was never taken over by this worker; nothing "
                "of its batch is committed, its owner reads it again"
            )
        return publisher

    async def stop(self) -> None:
        """Give everything up."""
        self._generation = NO_GENERATION
        await self._give_up(set(self._own))

    async def _give_up(self, partitions: Collection[int]) -> None:
        publishers = [self._own.pop(partition) for partition in partitions]
        await asyncio.gather(*(publisher.stop() for publisher in publishers))


class PublisherService(Service):
    """Starts and stops the publishers with the app; partitions' own come with them.

    Args:
        publisher: the worker's own.
        owned: those of the partitions.
    """

    logger = SERVICE_LOG

    def __init__(self, publisher: Publisher, owned: PartitionPublishers) -> None:
        super().__init__()
        self._publisher = publisher
        self._owned = owned

    async def on_start(self) -> None:
        """Connect."""
        await self._publisher.start()

    async def on_stop(self) -> None:
        """Send what is buffered and disconnect."""
        await self._owned.stop()
        await self._publisher.stop()
