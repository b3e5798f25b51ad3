"""One worker on the embedded broker: what platforms send, and what comes of it.

Each test has users and ids of its own, so that they may share the worker.
"""

from __future__ import annotations

import itertools
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from streams.bundles.bundle import Bundle
from streams.subscribe.schema import InterestUpdate
from tests.integration.runtime.conftest import PREFIX, Line, StartLine
from tests.workers import PLATFORMS

OUT = {name: f"{PREFIX}.vectors.{name}" for name in PLATFORMS}
LETTERS = f"{PREFIX}.deadletter"


@pytest.fixture(scope="module")
def line(start_line: StartLine) -> Iterator[Line]:
    with start_line(list(OUT.values())) as made:
        yield made


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def vector_of(line: Line, target: str, key: str, events: int) -> InterestUpdate:
    """The update of a key that has so many events behind it."""
    look = line.broker.update(OUT[target], key, events)
    return line.broker.until(look, f"{key} on {target} with {events} events")


def status_of(line: Line, path: str) -> tuple[int, Any]:
    try:
        return 200, line.worker.get(path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_three_platforms_make_vectors_on_every_target_that_knows_the_user(line: Line) -> None:
    start = now_ms() - 60_000
    line.send("shop.links", "c-ann", {"local_id": "c-ann", "user_id": "ann"})
    line.send("video.click", "x", {"user_id": "ann", "item_id": "video-1", "time": start})
    line.send("news.browse", "ann", {"item_id": "news-2", "time": start + 1_000, "more": [1]})
    line.send("shop.purchase", None, {"local_id": "c-ann", "item_id": "shop-3", "time": start + 2})
    line.send("video.click", "x", {"user_id": "ann", "item_id": "video-2", "time": start + 500})
    ids = {"video": "ann", "shop": "c-ann", "news": "ann"}
    bundle = Bundle.load(line.bundle)
    for target, identity in ids.items():
        update = vector_of(line, target, identity, 4)
        assert (update.id, update.target, update.user) == (identity, target, "ann")
        assert update.as_of_ms == start + 1_000
        assert update.bundle == bundle.bundle_id
        assert set(update.sources) == set(PLATFORMS)
        assert sum(update.sources.values()) == pytest.approx(1, abs=1e-3)
        assert update.vector.shape == (bundle.contract.vector_dim,)
        assert start < update.event_ts_ms <= update.published_ms <= now_ms()
        record = line.broker.last(OUT[target], identity)
        headers = dict(record.headers)
        assert headers["content-type"] == b"application/x-msgpack"
        assert headers["schema"] == b"interest-update/1"
        seen = {v["target"]: v for v in line.worker.get("/users/ann")["vectors"]}
        assert seen[target]["id"] == identity
        assert np.allclose(update.vector, seen[target]["vector"], atol=0.01)


def test_a_purchase_of_several_items_is_several_events(line: Line) -> None:
    items = ["video-1", {"item_id": "video-2", "price": 3}, "video-1"]
    line.send("video.purchase", "bob", {"items": items, "time": now_ms()})
    assert vector_of(line, "video", "bob", 3).sources == {"video": 1.0}
    window = line.worker.get("/users/bob")["window"]
    assert [e["item_id"] for e in window] == ["video-1", "video-2", "video-1"]
    assert {(e["platform"], e["action"]) for e in window} == {("video", "purchase")}


def counted(line: Line, name: str, value: float) -> None:
    """What was published is counted a moment later."""
    line.broker.until(lambda: line.worker.metric(name) == value, f"{name} is {value}")


def test_an_item_that_no_catalogue_knows_counts_as_unknown(line: Line) -> None:
    before = line.worker.metric("interest_unknown_items_total")
    line.send("news.click", "cid", {"item_id": "nobody-knows-it", "time": now_ms()})
    assert vector_of(line, "news", "cid", 1).sources == {"news": 1.0}
    counted(line, "interest_unknown_items_total", before + 1)
    assert line.broker.letters(LETTERS, key=b"cid") == []


def test_bad_records_become_dead_letters_and_the_worker_goes_on(line: Line) -> None:
    ahead = now_ms() + 3_600_000
    broken, future = b'{"item_id": "news-1",', {"item_id": "news-1", "time": ahead}
    empty_before = line.worker.metric("interest_events_skipped_total")
    places = [line.send("news.click", "dora", value) for value in (broken, future, None, b"")]
    line.send("news.click", "dora", {"item_id": "news-1", "time": now_ms()})
    assert vector_of(line, "news", "dora", 1).user == "dora"
    not_json, from_future = line.broker.until(
        lambda: found if len(found := line.broker.letters(LETTERS, key=b"dora")) > 1 else None,
        "both letters",
    )
    assert (not_json.reason, not_json.raw, not_json.platform) == ("not_json", broken, "news")
    assert (not_json.topic, not_json.partition, not_json.offset) == (
        f"{PREFIX}.news.click",
        *places[0],
    )
    assert "JSON" in not_json.remedy
    assert (from_future.reason, from_future.field) == ("from_future", "time")
    assert (from_future.partition, from_future.offset) == places[1]
    assert from_future.raw == json.dumps(future).encode()
    assert str(ahead)[:4] in from_future.value or "20" in from_future.value
    assert "max_future_s" in from_future.remedy
    # The two empty values are ignored: counted, and no letter.
    assert len(line.broker.letters(LETTERS, key=b"dora")) == 2
    counted(line, "interest_events_skipped_total", empty_before + 2)
    reasons = 'interest_dead_letters_total{reason="not_json"}'
    counted(line, reasons, 1)


def test_a_local_id_without_a_link_counts_at_once_for_its_own_platform(line: Line) -> None:
    line.send("shop.click", "c-9", {"item_id": "shop-1", "time": now_ms()})
    update = vector_of(line, "shop", "c-9", 1)
    assert (update.id, update.user, update.sources) == ("c-9", "c-9", {"shop": 1.0})
    assert line.worker.get("/users/shop/c-9")["events"] == 1
    assert status_of(line, "/users/c-9")[0] == 404
    assert line.broker.last(OUT["video"], "c-9") is None


def test_a_link_takes_effect_live_and_so_does_its_end(line: Line) -> None:
    start = now_ms() - 10_000
    line.send("shop.click", "c-10", {"item_id": "shop-1", "time": start})
    line.send("shop.browse", "c-10", {"item_id": "shop-2", "time": start + 2})
    line.send("video.click", "dan", {"item_id": "video-3", "time": start + 1})
    vector_of(line, "shop", "c-10", 2)
    vector_of(line, "video", "dan", 1)
    assert line.broker.last(OUT["shop"], "dan") is None  # the shop doesn't know him yet
    line.send("shop.links", "c-10", {"local_id": "c-10", "user_id": "dan"})
    for target, identity in (("video", "dan"), ("news", "dan"), ("shop", "c-10")):
        update = vector_of(line, target, identity, 3)
        assert (update.user, update.as_of_ms) == ("dan", start + 2)
        assert set(update.sources) == {"video", "shop"}
    dan = line.worker.get("/users/dan")
    assert [e["item_id"] for e in dan["window"]] == ["shop-1", "video-3", "shop-2"]
    assert dan["local_ids"] == [{"platform": "shop", "local_id": "c-10"}]
    assert line.worker.get("/users/shop/c-10") == {"user_id": "dan", "see": "/users/dan"}
    line.send("shop.click", "c-10", {"item_id": "shop-4", "time": start + 3})
    assert vector_of(line, "news", "dan", 4).as_of_ms == start + 3

    line.send("shop.links", "c-10", None)
    line.broker.until(lambda: line.broker.last(OUT["shop"], "c-10").value in (b"", None), "gone")
    assert dict(line.broker.last(OUT["shop"], "c-10").headers)["target"] == b"shop"
    line.send("shop.click", "c-10", {"item_id": "shop-5", "time": start + 4})
    assert vector_of(line, "shop", "c-10", 1).user == "c-10"


@pytest.mark.parametrize(
    ("topic", "key", "value", "reason", "field"),
    [
        ("video.items", "i-1", {"item_id": "i-1"}, "no_title", "title"),
        ("shop.items", "i-2", {"item_id": "i-3", "title": "A"}, "key_mismatch", "key"),
        ("shop.links", "c-11", {"local_id": "c-11"}, "no_user", "user_id"),
        ("shop.purchase", "c-11", {"items": [{"price": 2}]}, "no_item", "items[0].item_id"),
        ("shop.click", "c-11", {"item_id": "a", "action": "stare"}, "unknown_action", "action"),
    ],
)
def test_a_bad_item_link_or_event_is_one_dead_letter(
    line: Line, topic: str, key: str, value: Any, reason: str, field: str
) -> None:
    place = line.send(topic, key, value)
    source = f"{PREFIX}.{topic}"
    (letter,) = line.broker.until(
        lambda: line.broker.letters(LETTERS, topic=source, partition=place[0], offset=place[1]),
        f"the letter {reason}",
    )
    assert (letter.reason, letter.field, letter.key) == (reason, field, key.encode())
    assert letter.raw == json.dumps(value).encode()
    assert letter.remedy


def test_a_new_item_has_a_vector_from_its_title(line: Line) -> None:
    items = 'interest_catalogue_items{platform="video"}'
    before = line.worker.metric(items)
    line.send("video.items", "fresh", {"item_id": "fresh", "title": "red garden river"})
    line.broker.until(lambda: line.worker.metric(items) == before + 1, "the item is known")
    unknown = line.worker.metric("interest_unknown_items_total")
    line.send("video.click", "fay", {"item_id": "fresh", "time": now_ms()})
    known = vector_of(line, "video", "fay", 1).vector
    assert line.worker.metric("interest_unknown_items_total") == unknown
    assert line.worker.get("/users/fay")["window"][0]["item_id"] == "fresh"
    line.send("video.click", "gus", {"item_id": "never-seen", "time": now_ms()})
    assert not np.allclose(known, vector_of(line, "video", "gus", 1).vector, atol=0.05)


def test_a_withdrawn_item_keeps_its_vector(line: Line) -> None:
    """What docs/guarantees.md says of it: nothing yet."""
    items, names = 'interest_catalogue_items{platform="video"}', itertools.count()
    before = line.worker.metric(items)

    def announce(name: str) -> int:
        title = {"item_id": name, "title": "old stone bridge"}
        return line.send("video.items", name, title)[0]

    partition = announce("gone")
    line.broker.until(lambda: line.worker.metric(items) == before + 1, "the item is known")
    line.send("video.click", "ivy", {"item_id": "gone", "time": now_ms()})
    known = vector_of(line, "video", "ivy", 1).vector
    assert line.send("video.items", "gone", None)[0] == partition
    sent = 1
    while announce(f"after-{next(names)}") != partition:  # what is behind it has been read
        sent += 1
    line.broker.until(lambda: line.worker.metric(items) == before + 1 + sent, "it was read")
    unknown = line.worker.metric("interest_unknown_items_total")
    line.send("video.click", "jon", {"item_id": "gone", "time": now_ms()})
    assert np.allclose(known, vector_of(line, "video", "jon", 1).vector, atol=0.05)
    assert line.worker.metric("interest_unknown_items_total") == unknown
    assert line.broker.letters(LETTERS, key=b"gone") == []


def test_an_event_sent_twice_counts_once(line: Line) -> None:
    event = {"event_id": "e-1", "item_id": "news-1", "time": now_ms()}
    for _ in range(2):
        line.send("news.click", "hal", event)
    line.send("news.click", "hal", {**event, "event_id": "e-2"})
    assert vector_of(line, "news", "hal", 2).events == 2
    counted(line, 'interest_events_skipped_total{reason="duplicate"}', 1)


def test_health_and_views_answer(line: Line) -> None:
    assert line.worker.get("/health/live") == {"live": True, "reason": None}
    ready = line.worker.get("/health/ready")
    assert (ready["ready"], ready["recovering"], ready["rebalancing"]) == (True, False, False)
    assert ready["bundle"] == Bundle.load(line.bundle).bundle_id
    assert ready["provider"].endswith("ExecutionProvider")
    status, body = status_of(line, "/users/nobody-at-all")
    assert (status, body) == (404, {"error": "nothing is known of this id"})


def test_metrics_are_prometheus_text(line: Line) -> None:
    url = f"http://127.0.0.1:{line.worker.port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    for name in ("events_read_total", "events_applied_total", "onnx_seconds_count"):
        assert f"\ninterest_{name}" in text
