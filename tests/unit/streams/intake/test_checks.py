"""Rules for ids, actions, items and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import RecordError
from streams.intake.checks import (
    EARLIEST_MS,
    action_of,
    items_of,
    key_id,
    text_id,
    time_ms_of,
)
from streams.intake.formats.native import ItemRef, NativeEvent

NOW_MS = 1_795_342_272_123
LATEST_MS = NOW_MS + 300_000
LIMIT = 256


def reason_of(error: pytest.ExceptionInfo[RecordError]) -> str:
    assert error.value.remedy
    return error.value.reason


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (" a ", " a "), (17, "17"), (-3, "-3"), ("ü" * 128, "ü" * 128)]
)
def test_usable_ids(value: str | int, text: str) -> None:
    assert text_id(value, "user_id", LIMIT) == text


@pytest.mark.parametrize("value", ["", " ", "\n\t", "x" * 257, "ü" * 129, 10**300])
def test_unusable_ids(value: str | int) -> None:
    with pytest.raises(RecordError) as caught:
        text_id(value, "user_id", LIMIT)
    assert reason_of(caught) == "bad_id"
    assert caught.value.field == "user_id"


@given(st.text(st.characters(codec="utf-8")))
def test_an_accepted_id_is_within_the_limit_and_unchanged(text: str) -> None:
    fits = bool(text.strip()) and len(text.encode()) <= 20
    try:
        assert text_id(text, "item_id", 20) == text
    except RecordError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize(
    ("key", "reason"), [(None, "no_user"), (b"", "no_user"), (b"\xff", "bad_id"), (b" ", "bad_id")]
)
def test_unusable_keys(key: bytes | None, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        key_id(key, "user_id", LIMIT)
    assert reason_of(caught) == reason


def test_the_values_action_wins_over_the_topics() -> None:
    assert action_of("click", "browse") == "click"
    assert action_of(None, "browse") == "browse"
    assert action_of(" Purchase ", None) == "purchase"


@pytest.mark.parametrize(
    ("given_action", "reason"),
    [(None, "no_action"), ("", "unknown_action"), ("view", "unknown_action")],
)
def test_wrong_actions(given_action: str | None, reason: str) -> None:
    with pytest.raises(RecordError, match="browse, click, purchase") as caught:
        action_of(given_action, None)
    assert reason_of(caught) == reason


def test_items_win_over_item_id_and_keep_their_order() -> None:
    event = NativeEvent(item_id="x", items=[ItemRef("a"), "b", 3, ItemRef("a")])
    assert items_of(event, LIMIT, 4) == ["a", "b", "3", "a"]
    assert items_of(NativeEvent(item_id="x", items=[]), LIMIT, 4) == ["x"]


@pytest.mark.parametrize(
    ("event", "reason", "field"),
    [
        (NativeEvent(), "no_item", "item_id"),
        (NativeEvent(items=[]), "no_item", "item_id"),
        (NativeEvent(item_id=""), "bad_id", "item_id"),
        (NativeEvent(items=["a", ItemRef()]), "no_item", "items[1].item_id"),
        (NativeEvent(items=[ItemRef("a"), ItemRef(" ")]), "bad_id", "items[1].item_id"),
        (NativeEvent(items=["a", "b", "c"]), "too_many_items", "items"),
    ],
)
def test_wrong_items(event: NativeEvent, reason: str, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        items_of(event, LIMIT, 2)
    assert (reason_of(caught), caught.value.field) == (reason, field)


@pytest.mark.parametrize(
    "time",
    [
        NOW_MS,
        NOW_MS / 1000,
        NOW_MS * 1000,
        NOW_MS * 1000 + 499,
        datetime.fromtimestamp(NOW_MS / 1000, UTC),
        datetime.fromtimestamp(NOW_MS / 1000, timezone(timedelta(hours=-7))),
        None,
    ],
)
def test_every_unit_gives_the_same_time(time: datetime | float | None) -> None:
    assert time_ms_of(time, NOW_MS, LATEST_MS) == NOW_MS


def test_the_events_time_wins_over_kafkas() -> None:
    assert time_ms_of(1_700_000_000, NOW_MS, LATEST_MS) == 1_700_000_000_000


def test_the_bounds_of_belief() -> None:
    assert time_ms_of(LATEST_MS, 0, LATEST_MS) == LATEST_MS
    assert time_ms_of(EARLIEST_MS, 0, LATEST_MS) == EARLIEST_MS


@pytest.mark.parametrize(
    ("time", "kafka_ms", "reason", "field"),
    [
        (None, -1, "bad_time", "time"),
        (None, 0, "too_old", "Kafka timestamp"),
        (None, LATEST_MS + 1, "from_future", "Kafka timestamp"),
        (LATEST_MS + 1, NOW_MS, "from_future", "time"),
        (datetime(9999, 12, 31, tzinfo=UTC), NOW_MS, "from_future", "time"),
        (datetime(1, 1, 1, tzinfo=UTC), NOW_MS, "too_old", "time"),
        (0, NOW_MS, "too_old", "time"),
        (-5.5, NOW_MS, "too_old", "time"),
        (EARLIEST_MS - 1, NOW_MS, "too_old", "time"),
        (NOW_MS * 1_000_000, NOW_MS, "bad_time", "time"),
        (1e308, NOW_MS, "bad_time", "time"),
    ],
)
def test_wrong_times(time: datetime | float | None, kafka_ms: int, reason: str, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        time_ms_of(time, kafka_ms, LATEST_MS)
    assert (reason_of(caught), caught.value.field) == (reason, field)
