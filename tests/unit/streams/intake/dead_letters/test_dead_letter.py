"""Dead letters: lossless for ordinary records, bounded for huge ones."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import RecordError
from streams.intake.dead_letters.dead_letter import (
    MAX_RAW_BYTES,
    DeadLetter,
    concerns,
    decode,
    encode,
    letter_key,
    make_letter,
)
from tests.unit.streams.dead_letters import letter_of

ERROR = RecordError("bad_id", "user_id", '""', "send a non-empty id, or null")
Headers = tuple[tuple[str, bytes], ...]


def letter(key: bytes | None, raw: bytes | None, headers: Headers = ()) -> DeadLetter:
    return make_letter(
        error=ERROR,
        platform="video",
        source=("video.click", 3, 17),
        timestamp_ms=5,
        key=key,
        raw=raw,
        headers=headers,
        seen_ms=7,
    )


def test_the_message_is_json_that_says_everything() -> None:
    message = json.loads(encode(letter(b"k", b"\xff{", (("ce_id", b"1"),))))
    assert base64.b64decode(message.pop("raw")) == b"\xff{"
    assert base64.b64decode(message.pop("key")) == b"k"
    assert message.pop("worker")
    assert message == {
        "topic": "video.click",
        "partition": 3,
        "offset": 17,
        "timestamp_ms": 5,
        "platform": "video",
        "reason": "bad_id",
        "field": "user_id",
        "value": '""',
        "remedy": "send a non-empty id, or null",
        "headers": [["ce_id", "MQ=="]],
        "truncated": False,
        "seen_ms": 7,
    }


@given(st.none() | st.binary(), st.none() | st.binary())
def test_bytes_come_back_as_they_were(key: bytes | None, raw: bytes | None) -> None:
    sent = letter(key, raw)
    assert decode(encode(sent)) == sent
    assert (sent.key, sent.raw, sent.truncated) == (key, raw, False)


@pytest.mark.parametrize(
    ("key", "raw", "headers"),
    [
        (b"k", b"x" * (MAX_RAW_BYTES + 1), ()),
        (b"k" * MAX_RAW_BYTES, b"x", ()),
        (b"k", b"x", (("h", b"y" * MAX_RAW_BYTES),)),
    ],
)
def test_a_huge_record_is_cut_below_a_brokers_limit(
    key: bytes, raw: bytes, headers: Headers
) -> None:
    cut = letter(key, raw, headers)
    assert cut.truncated
    assert len(encode(cut)) < 1_000_000
    assert raw.startswith(cut.raw or b"?")


def test_the_largest_uncut_record_stays_below_a_brokers_limit() -> None:
    whole = letter(None, b"x" * MAX_RAW_BYTES)
    assert not whole.truncated
    assert len(encode(whole)) < 1_000_000


@pytest.mark.parametrize(
    ("letter", "platform", "held"),
    [
        (letter_of(b'{"user_id": "ann"}'), "", True),
        (letter_of(b'{"user_id": "ann"}'), "shop", True),
        (letter_of(b'{"user_id": "ann"}'), "news", False),
        (letter_of(b'{"user_id": "annette", "note": "for ann"}'), "", False),
        (letter_of(b'{"properties": [{"ids": ["x", "ann"]}]}'), "", True),
        (letter_of(b'{"user_id": "\\u0061nn"}'), "", True),
        (letter_of(b'{"a": 12}', key=b"ann"), "", True),
        (letter_of(b'{"a": 12}', key=b"u/ann"), "", True),
        (letter_of(b'{"a": 12}', key=b"shop/ann"), "shop", True),
        (letter_of(b'{"user_id": "ann", "item'), "", True),
        (letter_of(b'{"user_id": "joann", "item'), "", False),
        (letter_of(b'{"user_id": "ann-marie", "item'), "", False),
        (letter_of(b"1\tann\t2"), "", True),
        (letter_of(b"{}", value='"ann"'), "", True),
        (letter_of(b"\x91\xa3ann\xff"), "", True),
    ],
)
def test_whose_letters_they_are(letter: DeadLetter, platform: str, held: bool) -> None:
    assert concerns(letter, platform, "ann") is held


def test_a_number_is_an_id_as_its_decimal_text() -> None:
    assert concerns(letter_of(b'{"user_id": 12}'), "", "12")
    assert not concerns(letter_of(b'{"ok": true}'), "", "True")


def test_each_letter_has_its_own_key() -> None:
    assert letter_key(letter_of(b"{}")) == b"shop.click/0/7"
