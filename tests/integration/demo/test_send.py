from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.cli import send
from streams.demo import by_hand, running
from streams.demo.broker import PARTITIONS, EmbeddedBroker
from streams.demo.running import NoDemoError, RunningDemo, SimClock


def parse(text: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    send.add_arguments(parser)
    return parser.parse_args(text.split())


def note(bootstrap: str, clock: SimClock) -> None:
    topics = {"shop": "shop.events"}
    running.leave_note(RunningDemo(os.getpid(), bootstrap, "http://x", clock, topics))


def one_event(broker: EmbeddedBroker, topic: str) -> dict[str, object]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    (record,) = consumer.consume(1, timeout=20)
    consumer.close()
    value = json.loads(record.value() or b"")
    assert isinstance(value, dict)
    return value


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(running, "default_folder", lambda: tmp_path)
    return tmp_path


def test_it_reaches_the_running_demo_at_its_simulated_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["shop.events"])
        clock = SimClock(1_700_000_000_000, 1_700_000_000_000, 1e-9)
        running.leave_note(
            RunningDemo(os.getpid(), broker.bootstrap, "http://x", clock, {"shop": "shop.events"})
        )
        assert send.run(parse("shop click --user ada-00 --item s007")) == 0
        event = one_event(broker, "shop.events")
    assert event["user_id"] == "ada-00"
    assert event["item_id"] == "s007"
    assert str(event["event_id"]).startswith(by_hand.BY_HAND)
    assert 1_700_000_000_000 <= int(str(event["time"])) <= 1_700_000_001_000
    assert "Professional robot vacuum" in capsys.readouterr().out


def test_any_broker_and_a_local_id() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["cinema.purchase"])
        args = parse(f"cinema purchase --local-id c1 --item x --broker {broker.bootstrap}")
        assert send.run(args) == 0
        event = one_event(broker, "cinema.purchase")
    assert event["local_id"] == "c1"
    assert "user_id" not in event


def test_without_a_demo_it_says_how_to_start_one() -> None:
    with pytest.raises(NoDemoError, match="make demo"):
        send.run(parse("shop click --user ada-00 --item s007"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("shop click --user a --item s999", "use s000 to s319"),
        ("zoo click --user a --item s001", "use news, shop, video"),
    ],
)
def test_what_the_demo_does_not_have_is_refused(words: str, message: str) -> None:
    clock = SimClock(1, 1, 1.0)
    running.leave_note(
        RunningDemo(os.getpid(), "127.0.0.1:1", "http://x", clock, {"shop": "shop.events"})
    )
    with pytest.raises(by_hand.SendError, match=message):
        send.run(parse(words))
