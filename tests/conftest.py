"""Fixtures and settings for all tests."""

from __future__ import annotations

import importlib.util
import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import IN_CI, require

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

# Arithmetic in one thread: the machines are small, and the results repeatable.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A package carries every model that a test needs; nothing may ask a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# No deadline: the time of one example says more about the machine than about the code.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the real server carries its marker, so that ``-m 'not kafka'`` is true."""
    for item in items:
        if "kafka_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """One real Kafka 4 for the whole session; topics keep apart by ``topic_prefix``.

    Don't stop it in a test: whoever crashes brokers starts a ``KafkaServer`` of their own, with
    the fixture ``kafka_tools`` for the skip.
    """
    from deploy.kafka import KafkaServer, KafkaServerError

    try:
        server = KafkaServer()
        server.start()
    except KafkaServerError as error:
        require("Apache Kafka from its jars", False, str(error))
        raise
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def kafka_tools() -> None:
    """Skip unless Java and Kafka's jars are here (the jars are fetched if Maven is)."""
    from deploy.kafka import KafkaServerError
    from deploy.kafka.jars import fetch_jars, find_java

    try:
        find_java()
        fetch_jars()
    except KafkaServerError as error:
        require("Apache Kafka from its jars", False, str(error))


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix that no other test of any run has, for topics, groups and client ids."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:40].strip("-")
    return f"{name}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def embedded_broker() -> Iterator[Any]:
    """The in-process broker of the demo (streams.demo.broker.EmbeddedBroker), one a test."""
    require(
        "confluent-kafka",
        importlib.util.find_spec("confluent_kafka"),
        "pip install 'interest-stream[demo]'",
    )
    from streams.demo.broker import EmbeddedBroker

    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def clock() -> Callable[[], int]:
    """A clock of milliseconds that advances by one with each call, from a fixed moment."""
    ticks = itertools.count(1_700_000_000_000)
    return lambda: next(ticks)
