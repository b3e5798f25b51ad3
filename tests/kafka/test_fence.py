"""On a real broker: a former owner's records are refused, wherever they go."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiokafka.structs import TopicPartition
from kafka import KafkaAdminClient, KafkaConsumer
from kafka import TopicPartition as KafkaPartition

from streams.errors import PublishError
from streams.runtime.rebalance.fence import RENEW_S, FencedPublisher, PartitionPublishers
from streams.runtime.sending.publisher import NO_HEADERS, Publisher, Record

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

PARTITIONS = 3


def record(value: str) -> Record:
    return b"key", value.encode(), int(time.time() * 1000), NO_HEADERS


@pytest.fixture
def topics(kafka_server: KafkaServer, topic_prefix: str) -> list[TopicPartition]:
    admin = KafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
    names = [f"{topic_prefix}.changelog", f"{topic_prefix}.vectors"]
    try:
        shape = {"num_partitions": PARTITIONS, "replication_factor": 1}
        admin.create_topics(dict.fromkeys(names, shape))
    finally:
        admin.close()
    return [TopicPartition(name, p) for name in names for p in range(PARTITIONS)]


def writes(topics: list[TopicPartition]) -> list[TopicPartition]:
    """What the owner of partition 0 of the log writes to."""
    return [topics[0], *topics[PARTITIONS:]]


class Owners:
    """Makes publishers of one log partition, one after the other."""

    def __init__(self, server: KafkaServer, name: str, topics: list[TopicPartition]) -> None:
        self.options = {"bootstrap_servers": server.bootstrap}
        self.name, self.topics = name, topics
        self.made: list[FencedPublisher] = []

    async def next(self) -> FencedPublisher:
        publisher = FencedPublisher(
            self.options, f"{self.name}-0", self.topics[0], self.topics[PARTITIONS:]
        )
        await publisher.start()
        self.made.append(publisher)
        return publisher


@pytest.fixture
async def owners(
    kafka_server: KafkaServer, topic_prefix: str, topics: list[TopicPartition]
) -> AsyncIterator[Owners]:
    made = Owners(kafka_server, topic_prefix, topics)
    yield made
    for publisher in made.made:
        await publisher.stop()


async def send(publisher: Publisher, to: TopicPartition, value: str) -> dict[int, int]:
    return await (await publisher.send(to.topic, {to.partition: [record(value)]})).wait()


def values(server: KafkaServer, partition: TopicPartition) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=server.bootstrap, auto_offset_reset="earliest")
    own = KafkaPartition(partition.topic, partition.partition)
    try:
        consumer.assign([own])
        end, found = consumer.end_offsets([own])[own], []
        while consumer.position(own) < end:
            for records in consumer.poll(timeout_ms=500).values():
                found += [r.value for r in records if r.key == b"key"]
        return found
    finally:
        consumer.close()


def publishers(server: KafkaServer, name: str, topics: list[TopicPartition]) -> PartitionPublishers:
    """A worker's publishers, one for each partition of the log that it takes over."""
    options, vectors = {"bootstrap_servers": server.bootstrap}, topics[PARTITIONS:]
    shared = Publisher(options)
    return PartitionPublishers(
        shared, options, name, topics[0].topic, lambda: vectors, fencing=True
    )


async def test_a_former_owner_is_refused_everywhere(
    kafka_server: KafkaServer, owners: Owners, topics: list[TopicPartition]
) -> None:
    old = await owners.next()
    for to in writes(topics):
        await send(old, to, "old")
    new = await owners.next()
    for to in writes(topics):  # also where the new owner has written nothing yet
        with pytest.raises(PublishError, match="weren't acknowledged"):
            await send(old, to, "late")
    for to in writes(topics):
        await send(new, to, "new")
        await send(new, to, "newer")
    with pytest.raises(PublishError):
        await send(old, topics[0], "later")
    for to in writes(topics):
        assert values(kafka_server, to) == [b"old", b"new", b"newer"]


async def test_taking_over_is_quick_and_can_be_repeated(
    owners: Owners, topics: list[TopicPartition]
) -> None:
    for number in range(4):
        began = time.monotonic()
        owner = await owners.next()
        assert time.monotonic() - began < 5
        await send(owner, topics[0], str(number))


async def test_a_worker_owns_what_it_took_over(
    kafka_server: KafkaServer, topic_prefix: str, topics: list[TopicPartition]
) -> None:
    first, second = (publishers(kafka_server, topic_prefix, topics) for _ in range(2))
    try:
        await first.take_over({0, 1}, 1)
        await send(first.of(0), topics[0], "a")
        with pytest.raises(PublishError, match="never taken over"):
            first.of(2)
        await second.take_over({0}, 2)
        with pytest.raises(PublishError):
            await send(first.of(0), topics[0], "late")
        await send(first.of(1), topics[1], "still ours")
        await send(second.of(0), topics[0], "b")
    finally:
        await first.stop()
        await second.stop()
    assert values(kafka_server, topics[0]) == [b"a", b"b"]


async def test_what_was_taken_over_long_ago_is_taken_over_again(
    kafka_server: KafkaServer, topic_prefix: str, topics: list[TopicPartition]
) -> None:
    owned = publishers(kafka_server, topic_prefix, topics)
    try:
        await owned.take_over({0, 1}, 1)
        old, kept = owned.of(0), owned.of(1)
        assert isinstance(old, FencedPublisher)
        await send(old, topics[0], "a")
        await owned.renew()
        assert owned.of(0) is old
        old.since -= RENEW_S + 1
        await owned.renew()
        assert owned.of(0) is not old
        assert owned.of(1) is kept
        await send(owned.of(0), topics[0], "b")
    finally:
        await owned.stop()
    assert values(kafka_server, topics[0]) == [b"a", b"b"]


async def test_what_stays_with_a_worker_is_not_taken_over_again(
    kafka_server: KafkaServer, topic_prefix: str, topics: list[TopicPartition]
) -> None:
    """Unless it has missed a generation of the group, in which another may have had it."""
    owned = publishers(kafka_server, topic_prefix, topics)
    try:
        await owned.take_over({0, 1}, 4)
        kept, gone = owned.of(0), owned.of(1)
        await owned.take_over({0, 2}, 5)
        assert owned.of(0) is kept
        with pytest.raises(PublishError, match="never taken over"):
            owned.of(1)
        await send(owned.of(0), topics[0], "a")
        await send(owned.of(2), topics[2], "b")
        await owned.take_over({0, 1}, 7)
        assert owned.of(0) is not kept
        assert owned.of(1) is not gone
        await send(owned.of(0), topics[0], "c")
    finally:
        await owned.stop()
    assert values(kafka_server, topics[0]) == [b"a", b"c"]


async def test_without_fencing_the_shared_publisher_serves_all() -> None:
    shared = Publisher({})
    publishers = PartitionPublishers(shared, {}, "x", "c", list, fencing=False)
    await publishers.take_over({0}, 1)
    assert publishers.of(5) is shared
    await publishers.stop()
