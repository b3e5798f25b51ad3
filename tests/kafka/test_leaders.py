"""A consumer asks the new leader for an offset, where the one that it knows leads no more."""

from __future__ import annotations

import asyncio

import aiokafka
import pytest
from aiokafka.structs import TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]
from kafka import KafkaAdminClient
from kafka import TopicPartition as AdminPartition

from deploy.kafka import KafkaCluster
from streams.runtime.transport.leader_refresh import Consumer
from tests.chaos.systems.topics import create_topics

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.usefixtures("kafka_tools"),
]

PREFERRED = 0
FOUND_S = 30.0
"""Long before metadata are read anew because of their age."""


def move_leader(bootstrap: str, topic: str) -> None:
    """The next replica of the only partition leads from here on."""
    admin, tp = KafkaAdminClient(bootstrap_servers=bootstrap), AdminPartition(topic, 0)
    try:
        (found,) = admin.describe_topics([topic])
        replicas = found["partitions"][0]["replica_nodes"]
        admin.alter_partition_reassignments({tp: [*replicas[1:], replicas[0]]})
        admin.elect_leaders(PREFERRED, {topic: [0]}, raise_errors=False)
    finally:
        admin.close()


async def first_offset(consumer: aiokafka.AIOKafkaConsumer, bootstrap: str, topic: str) -> int:
    """Where a partition begins whose leader has moved since the consumer looked."""
    place = TopicPartition(topic, 0)
    await consumer.start()
    try:
        consumer.assign([place])
        await consumer.seek_to_end(place)
        assert await asyncio.wait_for(consumer.position(place), FOUND_S) == 0
        known = consumer._client.cluster.leader_for_partition(place)
        await asyncio.to_thread(move_leader, bootstrap, topic)
        assert consumer._client.cluster.leader_for_partition(place) == known  # out of date
        await consumer.seek_to_beginning(place)
        position: int = await asyncio.wait_for(consumer.position(place), FOUND_S)
        assert consumer._client.cluster.leader_for_partition(place) != known
        return position
    finally:
        await consumer.stop()


async def test_a_partition_whose_leader_has_moved_is_read(topic_prefix: str) -> None:
    with KafkaCluster(3, heap_mb=256) as cluster:
        boot = cluster.bootstrap
        create_topics(boot, [NewTopic(topic_prefix, 1, 3)])
        consumer = Consumer(bootstrap_servers=boot, enable_auto_commit=False)
        assert await first_offset(consumer, boot, topic_prefix) == 0
