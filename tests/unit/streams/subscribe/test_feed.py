"""The feed against a topic in memory: catch-up, tombstones, targets, damage, closing."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from streams.errors import RecordError
from streams.publish.encode import VectorEncoder
from streams.subscribe.feed import InterestFeed
from streams.subscribe.schema import InterestUpdate, Tombstone, headers
from tests.unit.streams.subscribe.fakes import FakeTopic

ENCODER = VectorEncoder("b1", ["video"])
SHARED = VectorEncoder("b1", ["video"], shared=True)


def connect(fake: FakeTopic, **arguments: Any) -> InterestFeed:
    return InterestFeed("somewhere:9092", "shop", consumer=fake, **arguments)


def drain(feed: InterestFeed, topic: FakeTopic) -> list[InterestUpdate | Tombstone]:
    """Everything until nothing is left, then the feed closed from another thread."""

    def close() -> None:
        threading.Thread(target=feed.close).start()
        feed._reader.closing.wait(10)

    topic.when_idle = close
    entries = list(feed)
    feed.close()
    return entries


def ids(entries: Any) -> list[str]:
    return sorted(entry.id for entry in entries)


def test_everything_from_the_beginning_then_live() -> None:
    topic = FakeTopic()
    for number in range(7):
        topic.publish(ENCODER, f"u{number}", number)
    feed = connect(topic)
    topic.publish(ENCODER, "late")
    assert feed.wait_until_caught_up(0) is False
    snapshot = list(feed.snapshot())
    assert set(ids(snapshot)) >= {f"u{number}" for number in range(7)}
    assert feed.caught_up
    rest = drain(feed, topic)
    assert ids(snapshot + rest) == sorted(["late", *(f"u{number}" for number in range(7))])
    vectors = {e.id: e.vector.tolist() for e in snapshot if isinstance(e, InterestUpdate)}
    assert vectors["u3"] == [3.0, 0.0]
    assert topic.consumers[0].closed


def test_records_of_one_id_keep_their_order() -> None:
    topic = FakeTopic()
    for number in range(5):
        topic.publish(ENCODER, "u1", number)
    numbers = [e.vector[0] for e in connect(topic).snapshot() if isinstance(e, InterestUpdate)]
    assert numbers == [0, 1, 2, 3, 4]


def test_an_empty_topic_is_caught_up_at_once() -> None:
    feed = connect(FakeTopic())
    assert feed.caught_up
    assert list(feed.snapshot()) == []


def test_caught_up_is_true_inside_the_loop_at_the_last_record() -> None:
    topic = FakeTopic(partitions=1)
    for number in range(3):
        topic.publish(ENCODER, f"u{number}")
    feed = connect(topic)
    assert [feed.caught_up for _ in feed.snapshot()] == [False, False, True]


def test_offsets_without_records_dont_hold_up_the_catching_up() -> None:
    topic = FakeTopic(partitions=1)
    topic.publish(ENCODER, "u1")
    topic.add(0, b"u2", b"", gap=5)
    # A transaction's marker has an offset and is never handed out.
    topic.ends[0] += 1
    feed = connect(topic)
    assert ids(feed.snapshot()) == ["u1", "u2"]
    assert feed.caught_up


def test_live_only_begins_at_the_end() -> None:
    topic = FakeTopic()
    topic.publish(ENCODER, "old")
    feed = connect(topic, catch_up=False)
    assert feed.caught_up
    topic.publish(ENCODER, "new")
    assert ids(drain(feed, topic)) == ["new"]


def test_tombstones_are_handed_out() -> None:
    topic = FakeTopic()
    topic.publish(ENCODER, "u1")
    key, value, heads = ENCODER.tombstone("shop", "u1")
    topic.add(sum(b"u1") % 2, key, value, heads)
    topic.add(1, b"u2", b"")
    entries = list(connect(topic).snapshot())
    assert Tombstone("u1", "shop") in entries
    assert Tombstone("u2", "shop") in entries


def test_a_shared_topic_gives_one_target_its_own() -> None:
    topic = FakeTopic(name="interest.vectors")
    topic.publish_for("shop", SHARED, "42", 1.0)
    topic.publish_for("news", SHARED, "42", 2.0)
    topic.add(0, *SHARED.tombstone("shop", "a/b"))
    topic.add(0, *SHARED.tombstone("news", "c"))
    topic.add(0, b"shop/d", None)
    topic.add(0, b"news/e", None)
    entries = list(connect(topic, topic="interest.vectors").snapshot())
    updates = [e for e in entries if isinstance(e, InterestUpdate)]
    assert [(e.id, e.target, e.vector[0]) for e in updates] == [("42", "shop", 1.0)]
    assert ids(e for e in entries if isinstance(e, Tombstone)) == ["a/b", "d"]


def test_damaged_records_are_counted_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    topic = FakeTopic(partitions=1)
    topic.add(0, b"u1", b"\xc1 not a message", headers("msgpack"))
    topic.add(0, b"u2", b"{}", headers("json"))
    topic.add(0, b"\xff", None)
    topic.publish(ENCODER, "good")
    feed = connect(topic)
    with caplog.at_level(logging.WARNING):
        assert ids(feed.snapshot()) == ["good"]
    assert feed.skipped == {"undecodable": 1, "invalid_update": 1, "invalid_key": 1}
    assert "interest.vectors.shop[0]@1" in caplog.text


def test_an_unknown_schema_raises_and_the_next_record_follows() -> None:
    topic = FakeTopic(partitions=1)
    topic.add(0, b"u1", b"new", [("schema", b"interest-update/2")])
    topic.publish(ENCODER, "good")
    feed = connect(topic)
    with pytest.raises(RecordError, match="upgrade interest-stream") as caught:
        next(feed)
    assert caught.value.__notes__ == ["record interest.vectors.shop[0]@0"]
    entry = next(feed)
    assert entry.id == "good"


def test_closing_ends_the_iteration_of_another_thread() -> None:
    topic = FakeTopic()
    topic.publish(ENCODER, "u1")
    first, ended = threading.Event(), threading.Event()
    feed = connect(topic)

    def iterate() -> None:
        for _ in feed:
            first.set()
        ended.set()

    threading.Thread(target=iterate, daemon=True).start()
    assert first.wait(10)
    assert feed.wait_until_caught_up(10)
    feed.close()
    assert ended.wait(10)
    assert topic.consumers[0].closed
    feed.close()
    with pytest.raises(StopIteration):
        next(feed)


def test_a_subscriber_needs_the_base_install_only() -> None:
    extras = ["faust", "aiokafka", "onnxruntime", "prometheus_client", "pydantic", "xxhash"]
    modules = "streams.subscribe.feed, streams.subscribe.ranking, streams.cli.watch"
    # None makes an import fail as if the package weren't installed.
    code = f"import sys; sys.modules.update(dict.fromkeys({extras})); import {modules}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_leaving_the_context_closes() -> None:
    topic = FakeTopic()
    with connect(topic) as feed:
        assert iter(feed) is feed
    assert topic.consumers[0].closed
