"""The feed on the demo's broker and on a real Kafka, which goes away and comes back."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.demo.broker import KAFKA_PYTHON_CONFIG, EmbeddedBroker
from streams.errors import TopicError
from streams.subscribe.feed import InterestFeed
from streams.subscribe.schema import Encoding, InterestUpdate, Tombstone
from tests.integration.subscribe.publisher import Publisher

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer


def latest(entries: Iterator[InterestUpdate | Tombstone]) -> dict[str, float | None]:
    """First number of the vector of each id; None where it was withdrawn."""
    return {e.id: float(e.vector[0]) if isinstance(e, InterestUpdate) else None for e in entries}


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_catch_up_and_live_on_the_embedded_broker(
    embedded_broker: EmbeddedBroker, encoding: Encoding
) -> None:
    topic = "interest.vectors.shop"
    embedded_broker.create_topics([topic])
    ids = [f"u{number}" for number in range(500)]
    publisher = Publisher(embedded_broker.bootstrap, topic, encoding)
    publisher.publish(ids, 0.1)
    publisher.publish(ids[:100], 0.25)
    publisher.withdraw("u7")
    with InterestFeed(embedded_broker.bootstrap, "shop", **KAFKA_PYTHON_CONFIG) as feed:
        assert feed.wait_until_caught_up(0) is False
        vectors = latest(feed.snapshot())
        assert feed.caught_up
        assert vectors.keys() == set(ids)
        assert vectors["u7"] is None
        assert vectors["u99"] == 0.25
        assert vectors["u100"] == float(np.float16(0.1))
        publisher.publish(["new"], 3.0)
        update = next(feed)
        assert isinstance(update, InterestUpdate)
        assert (update.id, update.sources) == ("new", {"video": 0.5, "shop": 0.5})
        np.testing.assert_array_equal(update.vector, np.full(4, 3.0, np.float32))
    publisher.close()


def test_a_missing_topic_of_a_real_broker_is_an_error_and_stays_missing(
    kafka_server: KafkaServer, topic_prefix: str
) -> None:
    with pytest.raises(TopicError, match="doesn't exist at"):
        InterestFeed(
            kafka_server.bootstrap, "shop", topic=topic_prefix + ".{target}", start_timeout_s=1
        )
    admin = KafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
    assert topic_prefix + ".shop" not in admin.list_topics()
    admin.close()


def follow_through_restart(server: KafkaServer, topic: str) -> dict[str, float | None]:
    """What a feed got of 50 vectors before a kill of the broker and 2 after it."""
    before = Publisher(server.bootstrap, topic, real=True)
    before.publish([f"u{number}" for number in range(50)], 1.0)
    before.close()
    feed = InterestFeed(server.bootstrap, "shop")
    got: dict[str, float | None] = {}
    seen = threading.Event()

    def follow() -> None:
        for entry in feed:
            got.update(latest(iter([entry])))
            if entry.id == "after":
                seen.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert feed.wait_until_caught_up(30)
    server.kill()
    server.start()
    after = Publisher(server.bootstrap, topic, real=True)
    after.publish(["u0", "after"], 2.0)
    after.close()
    assert seen.wait(60)
    feed.close()
    thread.join(10)
    assert not thread.is_alive()
    return got


# kafka-python leaves sockets of failed attempts to the garbage collector, and its log records
# (which pytest keeps) would hold them beyond the test.
@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_feed_outlives_a_restart_of_the_broker(
    kafka_tools: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")
    from deploy.kafka import KafkaServer

    topic = "interest.vectors.shop"
    with KafkaServer() as server:
        admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
        config = {"cleanup.policy": "compact"}
        admin.create_topics([NewTopic(topic, 3, 1, topic_configs=config)])
        admin.close()
        got = follow_through_restart(server, topic)
    gc.collect()
    assert len(got) == 51
    assert (got["u0"], got["u1"]) == (2.0, 1.0)
