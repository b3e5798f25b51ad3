"""A real broker with TLS, logins and an authorizer: each principal does its work, no more."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import Producer

from deploy.kafka.secure import Authority
from streams.cli import main
from streams.errors import BrokerError, TopicError
from streams.subscribe.feed import InterestFeed, InterestUpdate
from tests.kafka.secured import ENV, PASSWORD, SERVICE, Secured, checked
from tests.workers import WorkerProcess, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("kafka_tools")]


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
