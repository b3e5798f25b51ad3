"""Three nodes: one may die, and what was acknowledged is still there."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from deploy.kafka import KafkaCluster
from tests.chaos.systems.topics import create_topics, read_all

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.usefixtures("kafka_tools"),
]


def produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
    producer.produce(topic, value)
    assert producer.flush(60) == 0


def test_any_one_node_may_die(topic_prefix: str) -> None:
    with KafkaCluster(3, heap_mb=256) as cluster:
        boot = cluster.bootstrap
        create_topics(boot, [NewTopic(topic_prefix, 1, 3)])
        produce(boot, topic_prefix, b"before")
        known = AdminClient({"bootstrap.servers": boot}).list_topics(topic_prefix, timeout=30)
        leader = known.topics[topic_prefix].partitions[0].leader
        cluster.nodes[leader].kill()
        produce(boot, topic_prefix, b"after")
        assert [m.value() for m in read_all(boot, topic_prefix)] == [b"before", b"after"]
    assert not cluster.folder.exists()
