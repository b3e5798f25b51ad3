"""Events of a platform's topics: what each kind of record becomes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from streams.intake.intake import Intake
from streams.intake.source import IntakeResult
from streams.log.records import Event, Via
from streams.settings import Settings
from tests.unit.streams.intake.conftest import NOW_MS, Feed, entries, make_batch

CLICK = {"event_id": "e1", "user_id": "ann", "item_id": "i1", "time": NOW_MS - 5000}


def only_event(result: IntakeResult) -> tuple[str, Event]:
    [(key, record)] = entries(result)
    assert isinstance(record, Event)
    assert (result.seen, result.accepted, result.dead) == (1, 1, [])
    return key, record


def only_reason(result: IntakeResult) -> str:
    [letter] = result.dead
    assert (result.seen, result.accepted, result.records) == (1, 0, [])
    return letter.reason


def hashes(result: IntakeResult) -> list[int]:
    return [record.event_hash for _, record in entries(result) if isinstance(record, Event)]


def test_a_click_becomes_an_event_under_the_users_key(feed: Feed) -> None:
    result = feed("video.click", CLICK)
    key, event = only_event(result)
    assert key == "u/ann"
    assert event == Event(
        via=Via("video.click", 2, 100, 0),
        platform="video",
        action="click",
        item="i1",
        time_ms=NOW_MS - 5000,
        event_hash=event.event_hash,
        source_ms=NOW_MS - 1000,
    )
    assert result.records[0][2] == NOW_MS - 1000
    assert result.events == {("video", "click"): 1}


@pytest.mark.parametrize(
    ("topic", "ids", "record_key", "log_key"),
    [
        ("video.click", {"user_id": "a"}, None, "u/a"),
        ("video.click", {"user_id": "a", "local_id": "b"}, b"c", "u/a"),
        ("video.click", {"local_id": "b"}, b"c", "u/b"),
        ("video.click", {}, b"c", "u/c"),
        ("video.click", {"user_id": 7}, None, "u/7"),
        ("video.click", {"user_id": None, "local_id": 8}, None, "u/8"),
        ("shop.click", {"local_id": "b"}, b"c", "l/shop/b"),
        ("shop.click", {}, b"c/d", "l/shop/c/d"),
        ("shop.click", {"user_id": "a"}, None, "u/a"),
        ("shop.click", {"user_id": "a", "local_id": "b"}, b"c", "u/a"),
    ],
)
def test_whose_event_it_is(
    feed: Feed, topic: str, ids: dict[str, Any], record_key: bytes | None, log_key: str
) -> None:
    key, _ = only_event(feed(topic, {"item_id": "i", **ids}, keys=[record_key]))
    assert key == log_key


@pytest.mark.parametrize(
    ("topic", "given", "action"),
    [
        ("video.click", None, "click"),
        ("video.click", "purchase", "purchase"),
        ("news.all", "Favourite", "favourite"),
    ],
)
def test_action(feed: Feed, topic: str, given: str | None, action: str) -> None:
    result = feed(topic, {**CLICK, "action": given})
    assert only_event(result)[1].action == action
    assert result.events == {(topic.split(".")[0], action): 1}


def test_a_purchase_of_several_items_is_several_events(feed: Feed) -> None:
    bought = [{"item_id": "i1", "price": 3}, "i2", 3, {"item_id": "i1"}]
    result = feed("video.purchase", {"event_id": "o1", "user_id": "ann", "items": bought})
    events = [record for _, record in entries(result) if isinstance(record, Event)]
    assert [event.item for event in events] == ["i1", "i2", "3", "i1"]
    assert [event.via.sub for event in events] == [0, 1, 2, 3]
    assert len(set(hashes(result))) == 4
    assert (result.seen, result.accepted) == (1, 1)
    assert result.events == {("video", "purchase"): 4}


def test_one_bad_item_rejects_the_whole_record(feed: Feed) -> None:
    result = feed("video.purchase", {"user_id": "ann", "items": ["i1", ""]})
    assert only_reason(result) == "bad_id"
    assert result.dead[0].field == "items[1].item_id"


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        ("video.click", b"{", "not_json"),
        ("video.click", b"\xff\xfe", "not_json"),
        ("video.click", b" ", "not_json"),
        ("video.click", [CLICK], "not_json"),
        ("video.click", {**CLICK, "user_id": True}, "wrong_type"),
        ("video.click", {**CLICK, "user_id": ""}, "bad_id"),
        ("video.click", {**CLICK, "user_id": "x" * 65}, "bad_id"),
        ("video.click", {**CLICK, "event_id": " "}, "bad_id"),
        ("video.click", {"item_id": "i"}, "no_user"),
        ("video.click", {"user_id": "ann"}, "no_item"),
        ("video.click", {"user_id": "ann", "items": list("abcdef")}, "too_many_items"),
        ("video.click", {**CLICK, "action": "gaze"}, "unknown_action"),
        ("news.all", CLICK, "no_action"),
        ("video.click", {**CLICK, "time": "now"}, "bad_time"),
        ("video.click", {**CLICK, "time": 12}, "too_old"),
        ("video.click", {**CLICK, "time": NOW_MS + 300_001}, "from_future"),
    ],
)
def test_bad_records_become_dead_letters(feed: Feed, topic: str, value: Any, reason: str) -> None:
    assert only_reason(feed(topic, value)) == reason


def test_a_dead_letter_points_back_at_its_record(feed: Feed) -> None:
    result = feed("video.click", CLICK, b"{", keys=[b"a", b"b"])
    [letter] = result.dead
    assert (letter.topic, letter.partition, letter.offset) == ("video.click", 2, 101)
    assert (letter.key, letter.raw, letter.platform) == (b"b", b"{", "video")
    assert (letter.timestamp_ms, letter.seen_ms) == (NOW_MS - 1000, NOW_MS)


def test_a_dead_letter_keeps_the_headers(settings: Settings) -> None:
    batch = dataclasses.replace(make_batch("video.click", [b"{"]), headers=[[("a", b"1")]])
    [letter] = Intake(settings).process(batch, NOW_MS).dead
    assert letter.headers == (("a", b"1"),)


def test_an_event_as_far_ahead_as_allowed_is_taken(feed: Feed) -> None:
    ahead = NOW_MS + 300_000
    assert only_event(feed("video.click", {**CLICK, "time": ahead}))[1].time_ms == ahead


@pytest.mark.parametrize("empty", [None, b""])
def test_a_record_without_a_value_is_counted_and_ignored(feed: Feed, empty: bytes | None) -> None:
    result = feed("video.click", empty, keys=[b"ann"])
    assert (result.records, result.dead, result.accepted) == ([], [], 0)
    assert result.ignored == {("video", "empty_value"): 1}


def test_kafkas_timestamp_is_the_time_where_the_event_has_none(feed: Feed) -> None:
    untimed = {name: value for name, value in CLICK.items() if name != "time"}
    assert only_event(feed("video.click", untimed))[1].time_ms == NOW_MS - 1000


def test_a_record_without_a_kafka_timestamp_counts_as_sent_now(settings: Settings) -> None:
    batch = make_batch("video.click", [CLICK], stamp=-1)
    result = Intake(settings).process(batch, NOW_MS)
    assert only_event(result)[1].source_ms == NOW_MS == result.records[0][2]


def test_an_event_id_is_what_makes_events_the_same(feed: Feed) -> None:
    again = {**CLICK, "time": NOW_MS, "page": "other"}
    first, second, other = hashes(feed("video.click", CLICK, again, {**CLICK, "event_id": "e2"}))
    assert first == second != other


def test_without_an_event_id_all_fields_count(feed: Feed) -> None:
    plain = {name: value for name, value in CLICK.items() if name != "event_id"}
    changes: list[dict[str, Any]] = [
        {"user_id": "bob"},
        {"item_id": "i2"},
        {"time": NOW_MS},
        {"action": "cart"},
    ]
    same = hashes(feed("video.click", plain, {**plain, "page": "other"}))
    assert same[0] == same[1]
    different = hashes(feed("video.click", *({**plain, **change} for change in changes)))
    assert len({same[0], *different}) == 5


def test_event_ids_of_two_platforms_are_not_confused(feed: Feed) -> None:
    assert hashes(feed("video.click", CLICK)) != hashes(feed("shop.click", CLICK))


def test_good_and_bad_records_keep_their_order(feed: Feed) -> None:
    values = [CLICK, b"{", None, {**CLICK, "item_id": "i2"}, {**CLICK, "user_id": ""}]
    result = feed("video.click", *values)
    assert [record.via.offset for _, record in entries(result)] == [100, 103]
    assert [letter.offset for letter in result.dead] == [101, 104]
    assert (result.seen, result.accepted, result.ignored.total()) == (5, 2, 1)
