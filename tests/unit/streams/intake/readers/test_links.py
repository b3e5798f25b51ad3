"""Links: local id to user, under the local id's key."""

from __future__ import annotations

from typing import Any

import pytest

from streams.intake.intake import Intake
from streams.log.records import Link, Via
from streams.settings import Settings
from tests.unit.streams.intake.conftest import NOW_MS, Feed, entries, make_batch


@pytest.mark.parametrize(
    ("value", "key", "user"),
    [
        ({"local_id": "c7", "user_id": "ann"}, b"c7", "ann"),
        ({"local_id": "c7", "user_id": "ann"}, None, "ann"),
        ({"user_id": "ann"}, b"c7", "ann"),
        ({"user_id": 12}, b"c7", "12"),
        (None, b"c7", None),
        (b"", b"c7", None),
    ],
)
def test_links_travel_under_the_local_ids_key(
    feed: Feed, value: Any, key: bytes | None, user: str | None
) -> None:
    result = feed("shop.links", value, keys=[key])
    link = Link(Via("shop.links", 2, 100, 0), "shop", "c7", user, NOW_MS - 1000)
    assert entries(result) == [("l/shop/c7", link)]
    assert result.accepted == 1


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (b"{", b"c7", "not_json"),
        (b"null", b"c7", "not_json"),
        ({"local_id": "c7"}, b"c7", "no_user"),
        ({"local_id": "c7", "user_id": None}, b"c7", "no_user"),
        ({"local_id": "c7", "user_id": ""}, b"c7", "bad_id"),
        ({"local_id": "", "user_id": "ann"}, b"c7", "bad_id"),
        ({"local_id": [1], "user_id": "ann"}, b"c7", "wrong_type"),
        ({"local_id": "c8", "user_id": "ann"}, b"c7", "key_mismatch"),
        ({"user_id": "ann"}, None, "no_user"),
        ({"user_id": "ann"}, b"\xff", "bad_id"),
        (None, None, "no_user"),
        (None, b"x" * 65, "bad_id"),
    ],
)
def test_wrong_links_become_dead_letters(
    feed: Feed, value: Any, key: bytes | None, reason: str
) -> None:
    result = feed("shop.links", value, keys=[key])
    assert [(letter.platform, letter.reason) for letter in result.dead] == [("shop", reason)]
    assert (result.records, result.accepted) == ([], 0)


def test_a_link_without_a_kafka_timestamp_counts_as_sent_now(settings: Settings) -> None:
    batch = make_batch("shop.links", [{"user_id": "ann"}], [b"c7"], stamp=-1)
    [(_, link)] = entries(Intake(settings).process(batch, NOW_MS))
    assert isinstance(link, Link)
    assert link.source_ms == NOW_MS
