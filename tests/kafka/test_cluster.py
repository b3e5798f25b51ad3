"""Three nodes: one may die, and what was acknowledged is still there."""

from __future__ import annotations

import pytest
from kafka import KafkaAdminClient

from deploy.kafka import KafkaCluster
from tests.kafka.test_server import consume, produce

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.usefixtures("kafka_tools"),
]


def test_any_one_node_may_die(topic_prefix: str) -> None:
    with KafkaCluster(3, heap_mb=256) as cluster:
        boot = cluster.bootstrap
        admin = KafkaAdminClient(bootstrap_servers=boot)
        try:
            admin.create_topics({topic_prefix: {"num_partitions": 1, "replication_factor": 3}})
            produce(boot, topic_prefix, [b"before"])
            (topic,) = admin.describe_topics([topic_prefix])
            cluster.nodes[topic["partitions"][0]["leader_id"]].kill()
        finally:
            admin.close()
        produce(boot, topic_prefix, [b"after"])
        assert consume(boot, topic_prefix) == [b"before", b"after"]
    assert not cluster.folder.exists()
