"""From a decoder's refusal: the field, the value and the remedy."""

from __future__ import annotations

import pytest

from streams.errors import RecordError
from streams.intake.decode import DECODE_ERRORS, explain, shown
from streams.intake.formats.native import NativeEvent, decode_native


def refused(raw: bytes) -> RecordError:
    with pytest.raises(DECODE_ERRORS) as caught:
        decode_native(raw)
    return explain(caught.value, raw)


@pytest.mark.parametrize(
    ("raw", "reason", "field", "value"),
    [
        (b"", "not_json", "", "b''"),
        (b"\xef\xbb\xbf{}", "not_json", "", "b'"),
        (b'{"a":1', "not_json", "", '{"a":1'),
        (b'{"user_id": NaN}', "not_json", "", "NaN"),
        (b'{"user_id": "\xff"}', "not_json", "", "user_id"),
        (b'{"user_id": "\\ud800"}', "not_json", "", "user_id"),
        (b"null", "not_json", "", "null"),
        (b"[1]", "not_json", "", "[1]"),
        (b'"text"', "not_json", "", "text"),
        (b'{"user_id": true}', "wrong_type", "user_id", "true"),
        (b'{"user_id": 1.5}', "wrong_type", "user_id", "1.5"),
        (b'{"item_id": {"a": [1]}}', "wrong_type", "item_id", '{"a":[1]}'),
        (b'{"action": 3}', "wrong_type", "action", "3"),
        (b'{"items": {"item_id": 1}}', "wrong_type", "items", '{"item_id":1}'),
        (b'{"items": ["a", {"item_id": false}]}', "wrong_type", "items[1].item_id", "false"),
        (b'{"items": ["a", null]}', "wrong_type", "items[1]", "null"),
        (b'{"time": "yesterday"}', "bad_time", "time", '"yesterday"'),
        (b'{"time": "2026-01-31T12:00:00"}', "bad_time", "time", "2026-01-31T12:00:00"),
        (b'{"time": "2026-13-31T12:00:00Z"}', "bad_time", "time", "2026-13-31"),
        (b'{"time": true}', "bad_time", "time", "true"),
        (b'{"time": 1e400}', "bad_time", "time", "1e400"),
    ],
)
def test_field_value_and_remedy(raw: bytes, reason: str, field: str, value: str) -> None:
    error = refused(raw)
    assert (error.reason, error.field) == (reason, field)
    assert value in error.value
    assert error.remedy.startswith("send ")


def test_the_remedy_for_a_naive_time_names_the_offset() -> None:
    assert "with an offset" in refused(b'{"time": "2026-01-31T12:00:00"}').remedy


@pytest.mark.parametrize("depth", [100, 500, 900, 1000, 1500, 100_000])
@pytest.mark.parametrize("name", [b"other", b"user_id", b"items"])
def test_depth_is_no_danger(depth: int, name: bytes) -> None:
    raw = b'{"' + name + b'":' + b"[" * depth + b"]" * depth + b"}"
    reason = ""
    try:
        decode_native(raw)
    except DECODE_ERRORS as error:
        reason = explain(error, raw).reason
    assert reason in {"", "too_deep", "wrong_type", "not_json"}


def test_the_longest_number_is_no_danger() -> None:
    raw = b'{"user_id": ' + b"9" * 10_000 + b"}"
    assert refused(raw).reason == "wrong_type"


def test_unknown_fields_are_ignored_and_the_last_of_two_counts() -> None:
    event = decode_native(b'{"user_id": "a", "page": {"x": [1]}, "user_id": "b"}')
    assert event == NativeEvent(user_id="b")


def test_a_record_error_explains_itself() -> None:
    error = RecordError("no_item", "item_id", "", "send it")
    assert explain(error, b"") is error


def test_values_are_shown_short() -> None:
    assert shown("x" * 1000) == '"' + "x" * 199
    assert shown(b"\xff" * 1000).startswith("b'")
    assert shown(object()) == "object object"
