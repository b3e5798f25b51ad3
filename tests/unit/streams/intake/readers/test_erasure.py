"""Erasures: under the key of whom they are about, with the time up to which nothing counts."""

from __future__ import annotations

from typing import Any

import pytest

from streams.intake.intake import Intake
from streams.log.records import Erase, Via
from streams.settings import Settings, parse_settings
from tests.unit.streams.intake.conftest import NOW_MS, Feed, entries, make_batch

STAMP = NOW_MS - 1000


@pytest.mark.parametrize(
    ("value", "key", "log_key", "at_ms", "lifted"),
    [
        ({"user_id": "ann"}, b"ann", "u/ann", STAMP, False),
        ({"user_id": 7}, None, "u/7", STAMP, False),
        ({}, b"ann", "u/ann", STAMP, False),
        ({"user_id": "ann", "time": "2026-01-31T12:00:00Z"}, None, "u/ann", 1769860800000, False),
        ({"user_id": "ann", "time": 1769860800}, None, "u/ann", 1769860800000, False),
        ({"platform": "shop", "local_id": "c-1"}, b"shop/c-1", "l/shop/c-1", STAMP, False),
        ({"platform": "shop", "local_id": 5}, None, "l/shop/5", STAMP, False),
        (None, b"ann", "u/ann", STAMP, True),
        (None, b"shop/c-1", "l/shop/c-1", STAMP, True),
        (None, b"video/c-1", "u/video/c-1", STAMP, True),
    ],
)
def test_erasures_travel_under_the_key_of_whom_they_are_about(
    feed: Feed, value: Any, key: bytes | None, log_key: str, at_ms: int, lifted: bool
) -> None:
    result = feed("interest.erasure", value, keys=[key])
    via = Via("interest.erasure", 2, 100, 0)
    assert entries(result) == [(log_key, Erase(via, at_ms, False, lifted, STAMP))]


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (b"[]", b"ann", "not_json"),
        ({}, None, "no_user"),
        ({"platform": "shop"}, b"shop/1", "no_user"),
        ({"local_id": "1"}, b"1", "no_user"),
        ({"user_id": "ann", "platform": "shop", "local_id": "1"}, None, "no_user"),
        ({"platform": "video", "local_id": "1"}, None, "unknown_platform"),
        ({"platform": "shop", "local_id": "1"}, b"shop/2", "key_mismatch"),
        ({"user_id": "bob"}, b"ann", "key_mismatch"),
        ({"user_id": "ann", "time": "soon"}, None, "bad_time"),
        ({"user_id": "ann", "time": "2126-01-31T12:00:00Z"}, None, "from_future"),
        (None, None, "no_user"),
    ],
)
def test_wrong_erasures_become_dead_letters(
    feed: Feed, value: Any, key: bytes | None, reason: str
) -> None:
    result = feed("interest.erasure", value, keys=[key])
    assert [letter.reason for letter in result.dead] == [reason]
    assert result.records == []


def test_whether_later_events_are_refused_is_said_by_the_setting(settings: Settings) -> None:
    platforms = [{"name": "video"}, {"name": "shop", "ids": "linked"}]
    strict = parse_settings({"platforms": platforms, "erasure": {"later_events": "refuse"}})
    batch = make_batch("interest.erasure", [{"user_id": "ann"}])
    refused = [
        record.refuse
        for given in (settings, strict)
        for _, record in entries(Intake(given).process(batch, NOW_MS))
        if isinstance(record, Erase)
    ]
    assert refused == [False, True]
