"""A real broker with TLS, logins and an authorizer: each principal does its work, no more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
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

from deploy.kafka import KafkaServer, KafkaServerError
from deploy.kafka.secure import Authority, Security
from streams.admin.acls import principals
from streams.cli import bundle, check, main
from streams.connection import Connection
from streams.errors import BrokerError, TopicError
from streams.runtime.topics import wanted_topics
from streams.settings import load_settings
from streams.subscribe.feed import InterestFeed, InterestUpdate
from tests.bundles import make_tiny_bundle
from tests.support import require, require_command
from tests.workers import WorkerProcess, wait_until, write_settings

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("kafka_tools")]

SERVICE = "secured"
PASSWORD = "correct horse {battery} staple"
ENV = "INTEREST_STREAM__KAFKA__"
REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED
NOT_YET = KafkaError.NOT_LEADER_FOR_PARTITION
PRINCIPALS = (
    "worker", "redrive", "producer-video", "producer-shop", "producer-news",
    "privacy", "announcer", "recommender-video", "recommender-shop", "recommender-news",
)  # fmt: skip


@dataclass(frozen=True)
class Secured:
    """A secured broker with the ACLs of one service.

    Attributes:
        folder: with the authority's files in ``ca``.
        security: addresses and authority.
        bundle: a bundle for workers.
        sections: settings of a worker there.
    """

    folder: Path
    security: Security
    bundle: Path

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        kafka = {
            "security_protocol": "SASL_SSL",
            "ca_file": str(self.security.authority.ca_file),
            "username": "worker",
        }
        return {"kafka": kafka}

    def connection(self, user: str, password: str = PASSWORD, **changes: Any) -> Connection:
        fields = {
            "security_protocol": "SASL_SSL",
            "ca_file": str(self.security.authority.ca_file),
            "username": user,
            "password": password,
        }
        return Connection(**(fields | changes))

    def options(self, user: str, password: str = PASSWORD, **changes: Any) -> dict[str, Any]:
        """Options of aiokafka's clients for a user."""
        options = self.connection(user, password, **changes).asyncio_options()
        return {"bootstrap_servers": self.security.bootstrap, **options}

    def librdkafka(self, user: str) -> dict[str, Any]:
        """Configuration of confluent-kafka's clients for a user."""
        made = self.connection(user).librdkafka_options()
        return {"bootstrap.servers": self.security.bootstrap, **made}

    def config(self, name: str, **kafka: Any) -> Path:
        """The worker's settings as a file."""
        sections = {"kafka": {**self.sections["kafka"], **kafka}}
        bootstrap = self.security.bootstrap
        return write_settings(
            self.folder / name, self.bundle, bootstrap, SERVICE, port=1, sections=sections
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require_command("openssl", "Debian: apt-get install openssl")
    folder = tmp_path_factory.mktemp("secured")
    security = Security(Authority(folder / "ca"), dict.fromkeys(PRINCIPALS, PASSWORD))
    try:
        server = KafkaServer(**security.options())
        server.start()
    except KafkaServerError as error:
        require("Apache Kafka from its jars", False, str(error))
        raise
    try:
        made = Secured(folder, security, make_tiny_bundle(folder / "bundle"))
        admin = write_settings(folder / "admin", made.bundle, server.bootstrap, SERVICE, port=1)
        assert main.main(["acls", "--config", str(admin), "--apply", *_named()]) == 0
        yield made
    finally:
        server.stop()


def _named() -> list[str]:
    return ["--principal", "worker=User:worker"]


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's password, where it belongs: in the environment."""
    monkeypatch.setenv(f"{ENV}PASSWORD", PASSWORD)
    for command in (check, bundle):
        monkeypatch.setattr(command, "configure_logging", lambda level: None)


def checked(secured: Secured, capsys: pytest.CaptureFixture[str], **kafka: Any) -> tuple[int, str]:
    """Exit code and output of ``interest-stream check``."""
    code = main.main(["check", "--config", str(secured.config("check", **kafka))])
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.usefixtures("login")
def test_a_login_that_can_t_be_right_is_named(
    secured: Secured,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(f"{ENV}PASSWORD", "not it")
    code, said = checked(secured, capsys)
    assert code == 1
    assert "SASL_SSL as 'worker' (SCRAM-SHA-512)" in said
    assert "kafka.security_protocol" in said
    monkeypatch.setenv(f"{ENV}PASSWORD", PASSWORD)
    # An authority that didn't sign the broker's certificate.
    other = Authority(secured.folder / "other")
    code, said_tls = checked(secured, capsys, ca_file=str(other.ca_file))
    assert code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in said_tls + caplog.text
    assert "not it" not in said + said_tls + caplog.text
    assert PASSWORD not in said + said_tls + caplog.text


@pytest.mark.usefixtures("login")
def test_events_become_vectors_over_tls_with_least_rights(
    secured: Secured, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every client: check's admin, Faust's consumer and producer, fencing producers, items
    reader, publisher, librdkafka's producer of ``send``, the feed, and each command as its role."""
    code, said = checked(secured, capsys)
    assert code == 0, said
    assert " created" in said
    worker = WorkerProcess.make(
        secured.folder / "worker",
        secured.bundle,
        secured.security.bootstrap,
        SERVICE,
        sections=secured.sections,
    )
    topic = f"{SERVICE}.vectors.{{target}}"
    with worker:
        worker.wait_ready()
        send = ["send", "shop", "click", "--user", "ann", "--item", "shop-1", "--config"]
        code = main.main([*send, str(secured.config("send", username="producer-shop"))])
        assert code == 0, capsys.readouterr()
        options = secured.connection("recommender-video").python_options()
        feed = InterestFeed(secured.security.bootstrap, "video", topic=topic, **options)
        with feed:
            update = next(feed)
        assert isinstance(update, InterestUpdate)
        assert (update.id, update.sources) == ("ann", {"shop": 1.0})
        redriven(secured, capsys)
        announced(secured, capsys)
        proven(secured, capsys)
        assert worker.terminate() == 0
    assert PASSWORD not in worker.log()
    # The same vectors, asked for by a recommender whose they aren't.
    stranger = secured.connection("recommender-shop").python_options()
    with pytest.raises((BrokerError, TopicError)):
        InterestFeed(
            secured.security.bootstrap, "video", topic=topic, start_timeout_s=2, **stranger
        )


def said_by(
    secured: Secured, capsys: pytest.CaptureFixture[str], principal: str, *command: str
) -> tuple[int, str]:
    """Exit code and output of a command that is run as a principal."""
    config = secured.config(f"as-{principal}", username=principal)
    # "bundle" has its options before its own command.
    where = 1 if command[0] == "bundle" else len(command)
    code = main.main([*command[:where], "--config", str(config), *command[where:]])
    out, err = capsys.readouterr()
    return code, out + err


def redriven(secured: Secured, capsys: pytest.CaptureFixture[str]) -> None:
    """A record without an item becomes a dead letter, and is sent again by ``redrive``."""
    producer = Producer({**secured.librdkafka("producer-shop"), "log_level": 0})
    producer.produce(f"{SERVICE}.shop.click", b"{}", b"c-9")
    assert producer.flush(30) == 0
    said: list[tuple[int, str]] = []

    def read() -> bool:
        said.append(said_by(secured, capsys, "redrive", "redrive"))
        assert said[-1][0] == 0, said[-1]
        return "1 would be sent" in said[-1][1]

    wait_until(read, 30, "the dead letter can be read")
    code, told = said_by(secured, capsys, "redrive", "redrive", "--send")
    assert code == 0, told
    assert "sent 1;" in told


def announced(secured: Secured, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundle that runs is announced; its worker is seen to run it."""
    code, told = said_by(secured, capsys, "announcer", "bundle", "announce", str(secured.bundle))
    assert code == 0, told
    code, told = said_by(secured, capsys, "announcer", "bundle", "status")
    assert code == 0, told
    _, bundle = told.splitlines()[0].split()
    assert told.count(bundle) == 2, told  # announced, and what the worker says of itself


def proven(secured: Secured, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever proves may read all that it takes: of one who is there, and of one who isn't."""
    code, told = said_by(secured, capsys, "privacy", "erasure", "prove", "nobody")
    assert code == 0, told
    assert "clean: 0 left" in told
    code, told = said_by(secured, capsys, "privacy", "erasure", "prove", "ann")
    assert code == 1, told
    assert "NOT clean" in told


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
        **connection.asyncio_options(),
    }
    vectors = [f"{SERVICE}.vectors.{name}" for name in ("shop", "video")]
    assert await readable(options, vectors) == {vectors[0]}
