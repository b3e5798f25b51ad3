"""What a worker's group has committed, asked from outside."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from streams.settings import Settings
from tests.workers import WorkerProcess, wait_until


def wait_committed(worker: WorkerProcess, settings: Settings, topics: Sequence[str]) -> None:
    """Wait until everything that is in some topics is committed, the log last."""
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap[0], "group.id": settings.service.name}
    )

    def done() -> bool:
        known = consumer.list_topics(timeout=10).topics
        places = [TopicPartition(t, p) for t in topics for p in known[t].partitions]
        committed = {(c.topic, c.partition): c.offset for c in consumer.committed(places, 10)}
        # The log's ends are asked for last: what intake has committed is in it by then.
        ends = {(p.topic, p.partition): consumer.get_watermark_offsets(p, 10)[1] for p in places}
        return all(committed[place] >= end or end == 0 for place, end in ends.items())

    try:
        wait_until(lambda: done() or worker._check_alive(), 120, "everything is committed")
    finally:
        consumer.close()
