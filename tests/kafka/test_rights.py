"""Each principal can do its work at the broker, and nothing else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiokafka
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.fetch import FetchRequest
from confluent_kafka import KafkaError, Producer

from streams.admin.acls import principals
from streams.connection import Connection
from streams.runtime.topics import wanted_topics
from streams.settings import load_settings
from tests.kafka.secured import PRINCIPALS, SERVICE, Secured, checked

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("kafka_tools")]

REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED
NOT_YET = KafkaError.NOT_LEADER_FOR_PARTITION


async def readable(options: dict[str, Any], topics: list[str]) -> set[str]:
    """The topics whose partition 0 may be fetched from; the broker answers for each.

    With one request of Kafka's own: clients wait for topics that they may not see.
    """
    client = AIOKafkaClient(**options)
    await client.bootstrap()
    codes = dict.fromkeys(topics, NOT_YET)
    deadline = time.monotonic() + 60
    try:
        # The broker leads a topic that was just made a moment after it says that it exists.
        while NOT_YET in codes.values() and time.monotonic() < deadline:
            wanted = [(topic, [(0, 0, 1 << 20)]) for topic in topics]
            request = FetchRequest(100, 0, 1 << 24, 0, wanted)
            answer = await client.send(client.get_random_node(), request)
            codes = {topic: row[0][1] for topic, row in answer.topics}
    finally:
        await client.close()
    assert set(codes.values()) <= {0, REFUSED}
    return {topic for topic, code in codes.items() if code == 0}


def writable(options: dict[str, Any], topics: list[str]) -> set[str]:
    """The topics whose partition 0 takes a record."""
    refused: set[str] = set()

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            assert error.code() == REFUSED, error
            refused.add(message.topic())

    producer = Producer({**options, "log_level": 0})
    for topic in topics:
        producer.produce(topic, b"{}", b"nobody", partition=0, on_delivery=delivered)
    assert producer.flush(30) == 0
    return set(topics) - refused


# What each principal is to be able to do, written down apart from streams/admin/acls.py.
# What each principal is to be able to do, written down apart from streams/admin/acls.py.
KINDS = ("browse", "click", "purchase", "items")
OF_PLATFORM = {name: {f"{name}.{kind}" for kind in KINDS} for name in ("video", "shop", "news")}
OF_PLATFORM["shop"].add("shop.links")
SOURCES = set().union(*OF_PLATFORM.values())
VECTORS = {f"vectors.{name}" for name in OF_PLATFORM}
KEPT = {"events", "users-changelog", "deadletter"}
WISHES = {"consent", "erasure"}
BUNDLES = {"bundles", "bundles.status"}
ALL = sorted(SOURCES | VECTORS | KEPT | WISHES | BUNDLES)
MAY_READ = {
    "worker": SOURCES | KEPT | WISHES | {"bundles"},
    "announcer": BUNDLES,
    "privacy": {"shop.links"} | WISHES | KEPT | VECTORS,
    "redrive": {"deadletter"},
    **{f"producer-{name}": set[str]() for name in OF_PLATFORM},
    **{f"recommender-{name}": {f"vectors.{name}"} for name in OF_PLATFORM},
}
MAY_WRITE = {
    "worker": KEPT | VECTORS | {"bundles.status"},
    "announcer": {"bundles"},
    "privacy": WISHES,
    "redrive": SOURCES,
    **{f"producer-{name}": topics for name, topics in OF_PLATFORM.items()},
    **{f"recommender-{name}": set[str]() for name in OF_PLATFORM},
}


def topic_of(name: str) -> str:
    return f"{SERVICE}-{name}" if name == "users-changelog" else f"{SERVICE}.{name}"


@pytest.mark.usefixtures("login")
def test_no_topic_and_no_role_is_left_out(secured: Secured) -> None:
    settings = load_settings(str(secured.config("all")))
    assert {topic.name for topic in wanted_topics(settings)} == {topic_of(name) for name in ALL}
    assert set(principals(settings, ["worker=User:worker"]).values()) == {
        f"User:{name}" for name in PRINCIPALS
    }


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_each_principal_can_do_its_work_and_nothing_else(
    secured: Secured, principal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await asyncio.to_thread(checked, secured, capsys))[0] == 0  # the topics exist
    topics = {topic_of(name): name for name in ALL}
    read = await readable(secured.options(principal), list(topics))
    assert {topics[topic] for topic in read} == MAY_READ[principal]
    written = writable(secured.librdkafka(principal), list(topics))
    assert {topics[topic] for topic in written} == MAY_WRITE[principal]


async def test_nobody_joins_the_workers_group_nor_takes_over_its_producers(
    secured: Secured,
) -> None:
    options = secured.options("recommender-shop")
    consumer = aiokafka.AIOKafkaConsumer(
        f"{SERVICE}.vectors.shop", **options, group_id=SERVICE, session_timeout_ms=6000
    )
    with pytest.raises(GroupAuthorizationFailedError):
        await consumer.start()
    await consumer.stop()
    producer = aiokafka.AIOKafkaProducer(
        **secured.options("producer-shop"), transactional_id=f"{SERVICE}-users-0"
    )
    with pytest.raises(TransactionalIdAuthorizationFailed):
        await producer.start()
    await producer.stop()


@pytest.mark.usefixtures("login")
async def test_a_certificate_of_the_clients_own_is_a_login_too(
    secured: Secured, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await asyncio.to_thread(checked, secured, capsys))[0] == 0  # the topics exist
    cert, key = secured.security.authority.certificate("recommender-shop")
    connection = Connection(
        security_protocol="SSL",
        ca_file=str(secured.security.authority.ca_file),
        cert_file=str(cert),
        key_file=str(key),
    )
    options = {
        "bootstrap_servers": secured.security.tls_bootstrap,
        **connection.python_options(),
    }
    vectors = [f"{SERVICE}.vectors.{name}" for name in ("shop", "video")]
    assert await readable(options, vectors) == {vectors[0]}
