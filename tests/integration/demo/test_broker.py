from __future__ import annotations

import json
import socket
from contextlib import closing
from itertools import islice

import pytest
from kafka import KafkaConsumer, KafkaProducer

from streams.demo.broker import KAFKA_PYTHON_CONFIG, PARTITIONS, EmbeddedBroker, worker_config
from streams.demo.producer import NativeProducer
from streams.settings import parse_settings


def test_topics_come_into_being_with_four_partitions() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["video.click", "shop.click"])
        broker.create_topics(["video.click"])
        assert broker.topics() == {"video.click": PARTITIONS, "shop.click": PARTITIONS}


def test_kafka_python_reads_what_was_produced() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["news.items"])
        with NativeProducer(broker.bootstrap) as producer:
            for number in range(50):
                producer.send_item("news", f"n{number}", f"Title {number}", "")
            producer.send("news.items", b"n7", None)
        assert sum(broker.end_offsets("news.items")) == 51
        consumer = KafkaConsumer(
            "news.items",
            bootstrap_servers=broker.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=30_000,
            **KAFKA_PYTHON_CONFIG,
        )
        with closing(consumer):
            records = list(islice(consumer, 51))
    assert len(records) == 51
    last = {r.key: r.value for r in records}
    assert last[b"n7"] is None
    assert json.loads(last[b"n49"]) == {"item_id": "n49", "title": "Title 49"}


def test_kafka_python_produces_to_it() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["shop.click"])
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, **KAFKA_PYTHON_CONFIG)
        producer.send("shop.click", b"{}", b"ada").get(10)
        producer.close()
        assert sum(broker.end_offsets("shop.click")) == 1


def test_a_closed_broker_listens_no_more() -> None:
    with EmbeddedBroker() as broker:
        host, port = broker.bootstrap.split(":")
        socket.create_connection((host, int(port)), 5).close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), 5)


def test_its_worker_configuration_is_made_of_settings_that_exist() -> None:
    raw = {**worker_config("127.0.0.1:4711"), "platforms": [{"name": "video"}]}
    settings = parse_settings(raw)
    assert settings.kafka.bootstrap == ("127.0.0.1:4711",)
    assert settings.events.partitions == PARTITIONS
