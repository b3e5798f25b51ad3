"""Real producers with their own default partitioners: the log that intake makes is the same."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import confluent_kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.demo.broker import KAFKA_PYTHON_CONFIG, PARTITIONS, EmbeddedBroker
from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.log.codec import decode
from streams.log.partition import partition_of, partitions_of
from streams.log.records import Event
from streams.settings import parse_settings

TOPIC = "video.click"
NOW_MS = 1_795_342_272_123
LOG_PARTITIONS = 8
USERS = 23
EVENTS = 300
# (user, event) in order of time.
SENT = [
    (f"user-{n % USERS}", {"user_id": f"user-{n % USERS}", "item_id": f"i{n}", "time": NOW_MS - n})
    for n in reversed(range(EVENTS))
]

Place = dict[str, int]
Log = dict[int, dict[str, list[tuple[str, int, int]]]]


def by_librdkafka(bootstrap: str) -> None:
    """Its default is CRC32 of the key (``consistent_random``)."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for user, event in SENT:
        producer.produce(TOPIC, json.dumps(event).encode(), user.encode())
    assert producer.flush(20) == 0


def by_kafka_python(bootstrap: str) -> None:
    """Its default is Java's: murmur2 of the key."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, **KAFKA_PYTHON_CONFIG)
    for user, event in SENT:
        producer.send(TOPIC, json.dumps(event).encode(), user.encode())
    producer.flush(20)
    producer.close()


def batches(bootstrap: str) -> list[SourceBatch]:
    """Everything in the topic, one batch for each partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, **KAFKA_PYTHON_CONFIG)
    parts = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    found: dict[int, list[Any]] = defaultdict(list)
    while sum(map(len, found.values())) < EVENTS:
        for part, records in consumer.poll(timeout_ms=1000).items():
            found[part.partition] += records
    consumer.close()
    return [
        SourceBatch(
            TOPIC,
            partition,
            [record.offset for record in records],
            [record.timestamp for record in records],
            [record.key for record in records],
            [record.value for record in records],
        )
        for partition, records in found.items()
    ]


def taken_in(source: list[SourceBatch]) -> tuple[Place, Log]:
    """Where each user's events lay, and where they are in the log, in order."""
    intake = Intake(parse_settings({"platforms": [{"name": "video"}]}))
    lay: Place = {}
    log: Log = defaultdict(lambda: defaultdict(list))
    for batch in source:
        lay.update({(key or b"").decode(): batch.partition for key in batch.keys})
        result = intake.process(batch, NOW_MS)
        assert (result.accepted, result.dead) == (result.seen, [])
        targets = partitions_of([key for key, _, _ in result.records], LOG_PARTITIONS)
        for target, (key, value, _) in zip(targets, result.records, strict=True):
            event = decode(value)
            assert isinstance(event, Event)
            log[target][key.decode()].append((event.item, event.time_ms, event.event_hash))
    return lay, log


def test_the_log_doesnt_depend_on_the_producers_partitioner() -> None:
    found: list[tuple[Place, Log]] = []
    producers: tuple[Callable[[str], None], ...] = (by_librdkafka, by_kafka_python)
    for produce in producers:
        with EmbeddedBroker() as broker:
            broker.create_topics([TOPIC])
            produce(broker.bootstrap)
            found.append(taken_in(batches(broker.bootstrap)))
    (crc32, log), (murmur2, same) = found

    assert murmur2 == {user: partition_of(user.encode(), PARTITIONS) for user in murmur2}
    assert crc32 != murmur2, "librdkafka partitions like Java now; this test shows nothing then"
    assert log == same
    expected = [(f"i{n}", NOW_MS - n) for n in reversed(range(EVENTS)) if n % USERS == 7]
    target = partition_of(b"u/user-7", LOG_PARTITIONS)
    assert [event[:2] for event in log[target]["u/user-7"]] == expected
