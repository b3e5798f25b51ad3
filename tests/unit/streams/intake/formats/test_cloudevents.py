"""CloudEvents in binary and in structured mode."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from streams.intake.formats.base import Headers
from tests.unit.streams.intake.formats.support import (
    NOW_MS,
    THEN,
    THEN_MS,
    events,
    hashes,
    problem,
    take,
)

DATA = {"user_id": "ann", "item_id": "i1"}
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


def binary(**changes: str | None) -> Headers:
    attributes: dict[str, str | None] = {
        "ce_specversion": "1.0",
        "ce_id": "1",
        "ce_source": "/shop",
        "ce_type": "com.example.shop.click.v1",
        "ce_time": THEN,
        "content-type": "application/json",
        **changes,
    }
    return [(name, value.encode()) for name, value in attributes.items() if value is not None]


def envelope(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": "com.example.shop.click.v1",
        "time": THEN,
        "datacontenttype": "application/json",
        "data": DATA,
        **changes,
    }


CLICK = ("u/ann", "click", "i1", THEN_MS)


def test_both_modes_give_the_same_event() -> None:
    in_headers = take("cloudevents", DATA, binary())
    in_value = take("cloudevents", envelope(), STRUCTURED)
    assert events(in_headers) == events(in_value) == [CLICK]
    assert hashes(in_headers) == hashes(in_value)


def test_structured_mode_is_known_by_its_value_too() -> None:
    assert events(take("cloudevents", envelope())) == [CLICK]


def test_data_in_bytes() -> None:
    coded = base64.b64encode(json.dumps(DATA).encode()).decode()
    value = envelope(data=None, data_base64=coded)
    assert events(take("cloudevents", value, STRUCTURED)) == [CLICK]


def test_data_wins_over_attributes() -> None:
    data = {**DATA, "action": "purchase", "time": NOW_MS - 9, "event_id": "own"}
    result = take("cloudevents", data, binary())
    assert events(result) == [("u/ann", "purchase", "i1", NOW_MS - 9)]
    assert hashes(result) == hashes(take("cloudevents", data, binary(ce_id="2")))


def test_source_and_id_are_the_identity() -> None:
    first = hashes(take("cloudevents", DATA, binary()))
    assert first != hashes(take("cloudevents", DATA, binary(ce_id="2")))
    assert first != hashes(take("cloudevents", DATA, binary(ce_source="/news")))


def test_kafkas_time_where_the_event_has_none() -> None:
    assert events(take("cloudevents", DATA, binary(ce_time=None)))[0][3] == NOW_MS - 1


def test_the_key_is_the_user_where_the_data_names_none() -> None:
    result = take("cloudevents", {"item_id": "i1"}, binary(), key=b"c7")
    assert events(result)[0][0] == "l/cloudevents/c7"


@pytest.mark.parametrize(
    ("value", "headers", "reason", "field"),
    [
        (DATA, binary(ce_type="com.example.shop.seen"), "no_action", "action"),
        (DATA, binary(ce_id=None), "wrong_format", "id"),
        (DATA, binary(ce_time="soon"), "bad_time", "ce_time"),
        (DATA, (), "wrong_format", "specversion"),
        (DATA, [("content-type", b"application/cloudevents+avro")], "wrong_format", "content-type"),
        (b"\x00avro", binary(), "not_json", ""),
        (envelope(data="text"), STRUCTURED, "wrong_type", "data"),
        (envelope(data={"item_id": [1]}), STRUCTURED, "wrong_type", "data.item_id"),
        (envelope(data=None), STRUCTURED, "no_user", "user_id"),
        (envelope(data_base64="%"), STRUCTURED, "wrong_type", "data_base64"),
        (envelope(source=None), STRUCTURED, "wrong_format", "source"),
    ],
)
def test_dead_letters(value: Any, headers: Headers, reason: str, field: str) -> None:
    assert problem(take("cloudevents", value, headers)) == (reason, field)


def test_a_header_without_a_value_is_no_attribute() -> None:
    headers = [*binary(ce_time=None), ("ce_time", None)]
    assert events(take("cloudevents", DATA, headers))[0][3] == NOW_MS - 1
