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
from tests.integration.runtime.conftest import PREFIX, Service, StartService
from tests.workers import PLATFORMS

OUT = {name: f"{PREFIX}.vectors.{name}" for name in PLATFORMS}
LETTERS = f"{PREFIX}.deadletter"


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Iterator[Service]:
    with start_service(list(OUT.values())) as made:
        yield made


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def vector_of(service: Service, target: str, key: str, events: int) -> InterestUpdate:
    """The update of a key that has so many events behind it."""
    look = service.broker.update(OUT[target], key, events)
    return service.broker.until(look, f"{key} on {target} with {events} events")


def status_of(service: Service, path: str) -> tuple[int, Any]:
    try:
        return 200, service.worker.get(path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_three_platforms_make_vectors_on_every_target_that_knows_the_user(service: Service) -> None:
    start = now_ms() - 60_000
    service.send("shop.links", "c-ann", {"local_id": "c-ann", "user_id": "ann"})
    service.send("video.click", "x", {"user_id": "ann", "item_id": "video-1", "time": start})
    service.send("news.browse", "ann", {"item_id": "news-2", "time": start + 1_000, "more": [1]})
    service.send(
        "shop.purchase", None, {"local_id": "c-ann", "item_id": "shop-3", "time": start + 2}
    )
    service.send("video.click", "x", {"user_id": "ann", "item_id": "video-2", "time": start + 500})
    ids = {"video": "ann", "shop": "c-ann", "news": "ann"}
    bundle = Bundle.load(service.bundle)
    for target, identity in ids.items():
        update = vector_of(service, target, identity, 4)
        assert (update.id, update.target, update.user) == (identity, target, "ann")
        assert update.as_of_ms == start + 1_000
        assert update.bundle == bundle.bundle_id
        assert set(update.sources) == set(PLATFORMS)
        assert sum(update.sources.values()) == pytest.approx(1, abs=1e-3)
        assert update.vector.shape == (bundle.contract.vector_dim,)
        assert start < update.event_ts_ms <= update.published_ms <= now_ms()
        record = service.broker.last(OUT[target], identity)
        headers = dict(record.headers)
        assert headers["content-type"] == b"application/x-msgpack"
        assert headers["schema"] == b"interest-update/1"
        seen = {v["target"]: v for v in service.worker.get("/users/ann")["vectors"]}
        assert seen[target]["id"] == identity
        assert np.allclose(update.vector, seen[target]["vector"], atol=0.01)


def test_a_purchase_of_several_items_is_several_events(service: Service) -> None:
    items = ["video-1", {"item_id": "video-2", "price": 3}, "video-1"]
    service.send("video.purchase", "bob", {"items": items, "time": now_ms()})
    assert vector_of(service, "video", "bob", 3).sources == {"video": 1.0}
    window = service.worker.get("/users/bob")["window"]
    assert [e["item_id"] for e in window] == ["video-1", "video-2", "video-1"]
    assert {(e["platform"], e["action"]) for e in window} == {("video", "purchase")}


def counted(service: Service, name: str, value: float) -> None:
    """What was published is counted a moment later."""
    service.broker.until(lambda: service.worker.metric(name) == value, f"{name} is {value}")


def test_an_item_that_no_catalogue_knows_counts_as_unknown(service: Service) -> None:
    before = service.worker.metric("interest_unknown_items_total")
    service.send("news.click", "cid", {"item_id": "nobody-knows-it", "time": now_ms()})
    assert vector_of(service, "news", "cid", 1).sources == {"news": 1.0}
    counted(service, "interest_unknown_items_total", before + 1)
    assert service.broker.letters(LETTERS, key=b"cid") == []


def test_bad_records_become_dead_letters_and_the_worker_goes_on(service: Service) -> None:
    ahead = now_ms() + 3_600_000
    broken, future = b'{"item_id": "news-1",', {"item_id": "news-1", "time": ahead}
    empty_before = service.worker.metric("interest_events_skipped_total")
    places = [service.send("news.click", "dora", value) for value in (broken, future, None, b"")]
    service.send("news.click", "dora", {"item_id": "news-1", "time": now_ms()})
    assert vector_of(service, "news", "dora", 1).user == "dora"
    not_json, from_future = service.broker.until(
        lambda: found if len(found := service.broker.letters(LETTERS, key=b"dora")) > 1 else None,
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
    assert len(service.broker.letters(LETTERS, key=b"dora")) == 2
    counted(service, "interest_events_skipped_total", empty_before + 2)
    reasons = 'interest_dead_letters_total{reason="not_json"}'
    counted(service, reasons, 1)


def test_a_local_id_without_a_link_counts_at_once_for_its_own_platform(service: Service) -> None:
    service.send("shop.click", "c-9", {"item_id": "shop-1", "time": now_ms()})
    update = vector_of(service, "shop", "c-9", 1)
    assert (update.id, update.user, update.sources) == ("c-9", "c-9", {"shop": 1.0})
    assert service.worker.get("/users/shop/c-9")["events"] == 1
    assert status_of(service, "/users/c-9")[0] == 404
    assert service.broker.last(OUT["video"], "c-9") is None


def test_a_link_takes_effect_live_and_so_does_its_end(service: Service) -> None:
    start = now_ms() - 10_000
    service.send("shop.click", "c-10", {"item_id": "shop-1", "time": start})
    service.send("shop.browse", "c-10", {"item_id": "shop-2", "time": start + 2})
    service.send("video.click", "dan", {"item_id": "video-3", "time": start + 1})
    vector_of(service, "shop", "c-10", 2)
    vector_of(service, "video", "dan", 1)
    assert service.broker.last(OUT["shop"], "dan") is None  # the shop doesn't know him yet
    service.send("shop.links", "c-10", {"local_id": "c-10", "user_id": "dan"})
    for target, identity in (("video", "dan"), ("news", "dan"), ("shop", "c-10")):
        update = vector_of(service, target, identity, 3)
        assert (update.user, update.as_of_ms) == ("dan", start + 2)
        assert set(update.sources) == {"video", "shop"}
    dan = service.worker.get("/users/dan")
    assert [e["item_id"] for e in dan["window"]] == ["shop-1", "video-3", "shop-2"]
    assert dan["local_ids"] == [{"platform": "shop", "local_id": "c-10"}]
    assert service.worker.get("/users/shop/c-10") == {"user_id": "dan", "see": "/users/dan"}
    service.send("shop.click", "c-10", {"item_id": "shop-4", "time": start + 3})
    assert vector_of(service, "news", "dan", 4).as_of_ms == start + 3

    service.send("shop.links", "c-10", None)
    service.broker.until(
        lambda: service.broker.last(OUT["shop"], "c-10").value in (b"", None), "gone"
    )
    assert dict(service.broker.last(OUT["shop"], "c-10").headers)["target"] == b"shop"
    service.send("shop.click", "c-10", {"item_id": "shop-5", "time": start + 4})
    assert vector_of(service, "shop", "c-10", 1).user == "c-10"


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
    service: Service, topic: str, key: str, value: Any, reason: str, field: str
) -> None:
    place = service.send(topic, key, value)
    source = f"{PREFIX}.{topic}"
    (letter,) = service.broker.until(
        lambda: service.broker.letters(LETTERS, topic=source, partition=place[0], offset=place[1]),
        f"the letter {reason}",
    )
    assert (letter.reason, letter.field, letter.key) == (reason, field, key.encode())
    assert letter.raw == json.dumps(value).encode()
    assert letter.remedy


def test_a_new_item_has_a_vector_from_its_title(service: Service) -> None:
    items = 'interest_catalogue_items{platform="video"}'
    before = service.worker.metric(items)
    service.send("video.items", "fresh", {"item_id": "fresh", "title": "red garden river"})
    service.broker.until(lambda: service.worker.metric(items) == before + 1, "the item is known")
    unknown = service.worker.metric("interest_unknown_items_total")
    service.send("video.click", "fay", {"item_id": "fresh", "time": now_ms()})
    known = vector_of(service, "video", "fay", 1).vector
    assert service.worker.metric("interest_unknown_items_total") == unknown
    assert service.worker.get("/users/fay")["window"][0]["item_id"] == "fresh"
    service.send("video.click", "gus", {"item_id": "never-seen", "time": now_ms()})
    assert not np.allclose(known, vector_of(service, "video", "gus", 1).vector, atol=0.05)


def test_a_withdrawn_item_keeps_its_vector(service: Service) -> None:
    """What docs/guarantees.md says of it: nothing yet."""
    items, names = 'interest_catalogue_items{platform="video"}', itertools.count()
    before = service.worker.metric(items)

    def announce(name: str) -> int:
        title = {"item_id": name, "title": "old stone bridge"}
        return service.send("video.items", name, title)[0]

    partition = announce("gone")
    service.broker.until(lambda: service.worker.metric(items) == before + 1, "the item is known")
    service.send("video.click", "ivy", {"item_id": "gone", "time": now_ms()})
    known = vector_of(service, "video", "ivy", 1).vector
    assert service.send("video.items", "gone", None)[0] == partition
    sent = 1
    while announce(f"after-{next(names)}") != partition:  # what is behind it has been read
        sent += 1
    service.broker.until(lambda: service.worker.metric(items) == before + 1 + sent, "it was read")
    unknown = service.worker.metric("interest_unknown_items_total")
    service.send("video.click", "jon", {"item_id": "gone", "time": now_ms()})
    assert np.allclose(known, vector_of(service, "video", "jon", 1).vector, atol=0.05)
    assert service.worker.metric("interest_unknown_items_total") == unknown
    assert service.broker.letters(LETTERS, key=b"gone") == []


def test_an_event_sent_twice_counts_once(service: Service) -> None:
    event = {"event_id": "e-1", "item_id": "news-1", "time": now_ms()}
    for _ in range(2):
        service.send("news.click", "hal", event)
    service.send("news.click", "hal", {**event, "event_id": "e-2"})
    assert vector_of(service, "news", "hal", 2).events == 2
    counted(service, 'interest_events_skipped_total{reason="duplicate"}', 1)


def test_health_and_views_answer(service: Service) -> None:
    assert service.worker.get("/health/live") == {"live": True, "reason": None}
    ready = service.worker.get("/health/ready")
    assert (ready["ready"], ready["recovering"], ready["rebalancing"]) == (True, False, False)
    assert ready["bundle"] == Bundle.load(service.bundle).bundle_id
    assert ready["provider"].endswith("ExecutionProvider")
    status, body = status_of(service, "/users/nobody-at-all")
    assert (status, body) == (404, {"error": "nothing is known of this id"})


def test_metrics_are_prometheus_text(service: Service) -> None:
    url = f"http://127.0.0.1:{service.worker.port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    for name in ("events_read_total", "events_applied_total", "onnx_seconds_count"):
        assert f"\ninterest_{name}" in text
