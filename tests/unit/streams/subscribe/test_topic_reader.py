"""Starting without a broker or a topic, outages, and partitions that come later."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from streams.errors import BrokerError, TopicError
from streams.subscribe import topic_reader as module
from streams.subscribe.topic_reader import TopicReader
from tests.unit.streams.subscribe.fakes import FakeTopic


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)


def read(topic: FakeTopic, name: str = "interest.vectors.shop", **options: Any) -> TopicReader:
    return TopicReader(
        ["a:1", "b:2"], name, catch_up=True, start_timeout_s=0.05, consumer=topic, options=options
    )


def offsets(reader: TopicReader, polls: int) -> list[tuple[int, int]]:
    records = itertools.chain.from_iterable(reader.poll() for _ in range(polls))
    return sorted((record.partition, record.offset) for record in records)


def filled(count: int) -> FakeTopic:
    topic = FakeTopic(partitions=1)
    for _ in range(count):
        topic.add(0, b"k", b"v")
    return topic


def test_options_go_to_the_consumer() -> None:
    topic = filled(1)
    read(topic, security_protocol="SSL", max_poll_records=5)
    options = topic.consumers[0].options
    assert options["security_protocol"] == "SSL"
    assert options["max_poll_records"] == 5
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["enable_auto_commit"] is False
    assert "group_id" not in options


def test_no_broker_says_where_and_what_to_do() -> None:
    topic = filled(1)
    topic.connect_errors.extend(KafkaTimeoutError() for _ in range(100_000))
    with pytest.raises(BrokerError, match="no Kafka broker answers at a:1,b:2"):
        read(topic)


def test_a_missing_topic_says_which_and_disconnects() -> None:
    topic = filled(1)
    with pytest.raises(TopicError, match=r"'interest.vectors.nix' doesn't exist at a:1,b:2"):
        read(topic, "interest.vectors.nix")
    assert [consumer.closed for consumer in topic.consumers] == [True]


def test_a_broker_that_comes_up_late_is_waited_for() -> None:
    topic = filled(1)
    topic.connect_errors.append(KafkaTimeoutError())
    assert offsets(read(topic), 1) == [(0, 0)]


def test_after_an_outage_it_goes_on_where_it_was() -> None:
    topic = filled(6)
    topic.poll_errors.extend([None, KafkaConnectionError(), None, KafkaConnectionError()])
    topic.connect_errors.extend([None, KafkaTimeoutError(), KafkaTimeoutError()])
    reader = read(topic)
    assert offsets(reader, 6) == [(0, offset) for offset in range(6)]
    assert reader.at_first_end
    assert [consumer.closed for consumer in topic.consumers] == [True, True, False]


def test_closing_during_an_outage_ends_the_waiting() -> None:
    topic = filled(2)
    reader = read(topic)

    def fail(**options: Any) -> Any:
        reader.closing.set()
        raise KafkaTimeoutError

    reader._make = fail
    topic.poll_errors.append(KafkaConnectionError())
    assert reader.poll() == []
    assert reader.poll() == []
    reader.close()


def test_added_partitions_are_read_from_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = filled(2)
    reader = read(topic)
    assert offsets(reader, 2) == [(0, 0), (0, 1)]
    topic.partitions = 2
    topic.add(1, b"k", b"v")
    topic.add(0, b"k", b"v")
    assert offsets(reader, 1) == [(0, 2)]
    monkeypatch.setattr(module, "PARTITION_CHECK_S", 0.0)
    assert offsets(reader, 2) == [(1, 0)]
