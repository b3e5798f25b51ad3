"""Consent: all that a user says, in one record, under the user's key."""

from __future__ import annotations

from typing import Any

import pytest

from streams.log.records import Consent, Via
from tests.unit.streams.intake.conftest import NOW_MS, Feed, entries

PAIR = {"source": "video", "target": "shop"}


@pytest.mark.parametrize(
    ("value", "key", "allow", "pairs"),
    [
        ({"user_id": "ann", "denied": [PAIR]}, b"ann", False, (("video", "shop"),)),
        ({"denied": [PAIR, PAIR]}, b"ann", False, (("video", "shop"),)),
        ({"user_id": "ann", "denied": []}, None, False, ()),
        ({"allowed": []}, b"ann", True, ()),
        ({"allowed": [PAIR]}, b"ann", True, (("video", "shop"),)),
        ({"denied": [{"source": "video"}]}, b"ann", False, (("video", "*"),)),
        (
            {"denied": [{"source": "*", "target": "news"}, {"source": "shop", "target": "*"}]},
            b"ann",
            False,
            (("*", "news"), ("shop", "*")),
        ),
        (None, b"ann", False, ()),
        (b"", b"ann", False, ()),
    ],
)
def test_a_record_is_all_that_its_user_says(
    feed: Feed, value: Any, key: bytes | None, allow: bool, pairs: tuple[tuple[str, str], ...]
) -> None:
    result = feed("interest.consent", value, keys=[key])
    via = Via("interest.consent", 2, 100, 0)
    assert entries(result) == [("u/ann", Consent(via, allow, pairs, NOW_MS - 1000))]


@pytest.mark.parametrize(
    ("value", "key", "reason", "field"),
    [
        (b"{", b"ann", "not_json", ""),
        ({"denied": [PAIR], "allowed": []}, b"ann", "bad_consent", "denied"),
        ({"user_id": "ann"}, b"ann", "bad_consent", "denied"),
        ({"denied": [{"source": "vidoe"}]}, b"ann", "unknown_platform", "denied[0].source"),
        ({"allowed": [PAIR, {"target": "x"}]}, b"a", "unknown_platform", "allowed[1].target"),
        ({"denied": "all"}, b"ann", "wrong_type", "denied"),
        ({"user_id": "bob", "denied": []}, b"ann", "key_mismatch", "key"),
        ({"denied": []}, None, "no_user", "user_id"),
        ({"user_id": " ", "denied": []}, None, "bad_id", "user_id"),
        (None, None, "no_user", "user_id"),
        (None, b"\xff", "bad_id", "key"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter_and_not_consent(
    feed: Feed, value: Any, key: bytes | None, reason: str, field: str
) -> None:
    result = feed("interest.consent", value, keys=[key])
    assert [(letter.reason, letter.field) for letter in result.dead] == [(reason, field)]
    assert result.records == []
