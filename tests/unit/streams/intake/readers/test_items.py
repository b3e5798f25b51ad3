"""Items: titles in, items withdrawn."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import RecordError
from streams.intake.readers.items import MAX_TEXT, ItemRecord, Withdrawn, parse_item
from tests.unit.streams.intake.conftest import as_bytes


@pytest.mark.parametrize(
    ("key", "value", "item"),
    [
        (b"i1", {"item_id": "i1", "title": " Pan "}, ItemRecord("i1", "Pan", "")),
        (b"i1", {"title": "Pan", "category": "home"}, ItemRecord("i1", "Pan", "home")),
        (None, {"item_id": 7, "title": "Pan", "category": None}, ItemRecord("7", "Pan", "")),
        (b"i1", None, Withdrawn("i1")),
        (b"i1", b"", Withdrawn("i1")),
    ],
)
def test_items(key: bytes | None, value: Any, item: ItemRecord | Withdrawn) -> None:
    assert parse_item(key, as_bytes(value)) == item


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (None, None, "no_item"),
        (b"", None, "no_item"),
        (b"\xff", None, "bad_id"),
        (b"i1", b"{", "not_json"),
        (b"i1", {"item_id": "i1"}, "no_title"),
        (b"i1", {"item_id": "i1", "title": " "}, "no_title"),
        (b"i1", {"item_id": "i1", "title": 3}, "wrong_type"),
        (b"i1", {"item_id": "i1", "title": "Pan", "category": ["a"]}, "wrong_type"),
        (b"i1", {"item_id": "i2", "title": "Pan"}, "key_mismatch"),
        (b"i1", {"item_id": "", "title": "Pan"}, "bad_id"),
        (None, {"title": "Pan"}, "no_item"),
    ],
)
def test_wrong_items(key: bytes | None, value: Any, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_item(key, as_bytes(value))
    assert caught.value.reason == reason


def test_long_titles_are_cut() -> None:
    item = parse_item(b"i1", json.dumps({"title": "x" * 5000, "category": "y" * 5000}).encode())
    assert isinstance(item, ItemRecord)
    assert (len(item.title), len(item.category)) == (MAX_TEXT, MAX_TEXT)


@given(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=60))
def test_nothing_but_a_record_error_is_raised(key: bytes | None, value: bytes | None) -> None:
    with contextlib.suppress(RecordError):
        parse_item(key, value)
