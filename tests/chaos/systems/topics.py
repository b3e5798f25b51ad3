"""Topics seen from outside: made, read whole, and how far a group is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.workers import wait_until


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


def lag(bootstrap: str, group: str, topics: Iterable[str]) -> int:
    """Records of topics that a group hasn't committed."""
    return sum(lags(bootstrap, group, topics).values())


def lags(bootstrap: str, group: str, topics: Iterable[str]) -> dict[str, int]:
    """Records that a group hasn't committed, by partition, where there are any."""
    consumer = consumer_of(bootstrap, group)
    try:
        places = partitions_of(consumer, topics)
        done = {(p.topic, p.partition): p.offset for p in consumer.committed(places, timeout=30)}
        behind: dict[str, int] = {}
        for place in places:
            low, end = consumer.get_watermark_offsets(place, timeout=30)
            waiting = end - max(low, done[place.topic, place.partition])
            if waiting:
                behind[f"{place.topic}-{place.partition}"] = waiting
        return behind
    finally:
        consumer.close()
