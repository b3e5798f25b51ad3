from __future__ import annotations

import json

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.demo.broker import PARTITIONS, EmbeddedBroker
from streams.demo.producer import NativeProducer, TopicNames
from streams.errors import BrokerError
from streams.settings import parse_settings


def read(broker: EmbeddedBroker, topic: str, count: int) -> dict[bytes, object]:
    """Key to value of the first ``count`` records of a topic."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "t", "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    records = consumer.consume(count, timeout=20)
    consumer.close()
    return {r.key() or b"": json.loads(r.value() or b"null") for r in records}


def test_events_and_links_go_to_their_topics_under_the_id_they_have() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["shop.click", "shop.links"])
        with NativeProducer(broker.bootstrap) as producer:
            producer.send_event("shop", "click", {"local_id": "c1", "item_id": "s1", "time": 1})
            producer.send_link("shop", "c1", "zoë-01")
        assert read(broker, "shop.click", 1)[b"c1"] == {
            "local_id": "c1", "item_id": "s1", "time": 1,
        }  # fmt: skip
        assert read(broker, "shop.links", 1)[b"c1"] == {"local_id": "c1", "user_id": "zoë-01"}


def test_a_broker_that_is_not_there_is_named() -> None:
    with EmbeddedBroker() as broker:
        address = broker.bootstrap
    producer = NativeProducer(address)
    with pytest.raises(BrokerError, match=f"broker {address} doesn't answer"):
        producer.require(["video.click"], timeout_s=1.0)


def test_topic_names_follow_the_settings() -> None:
    names = TopicNames.of(
        parse_settings(
            {
                "platforms": [
                    {"name": "video"},
                    {
                        "name": "shop",
                        "ids": "linked",
                        "topics": {"any": ["shop-events"], "purchase": ["orders"]},
                        "items": "catalogue",
                        "links": "logins",
                    },
                ]
            }
        )
    )
    assert names.event("video", "click") == "video.click"
    assert names.event("shop", "click") == "shop-events"
    assert names.event("shop", "purchase") == "orders"
    assert (names.item("shop"), names.link("shop")) == ("catalogue", "logins")
    assert names.event("unknown", "cart") == "unknown.cart"
