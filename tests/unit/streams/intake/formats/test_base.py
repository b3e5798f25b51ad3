"""What every format has in common: nothing stops it, and each record has one result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import RecordError
from streams.intake.formats import FORMATS
from streams.intake.formats.snowplow import ACTION_FIELD, PRODUCT_FIELD
from streams.settings import Platform
from tests.unit.streams.intake.formats.support import take

_NAMES = st.sampled_from(
    [
        *("type", "event", "properties", "products", "product_id", "userId", "timestamp"),
        *("events", "name", "params", "items", "item_id", "event_name", "timestamp_micros"),
        *("event_id", "user_id", "domain_userid", "derived_tstamp", ACTION_FIELD, PRODUCT_FIELD),
        *("specversion", "id", "source", "time", "data", "data_base64", "other"),
    ]
)
_TEXTS = st.sampled_from(
    [
        *("track", "Order Completed", "purchase", "product_view", "unstruct", "1.0", "p1", ""),
        *("2026-01-31T12:00:00Z", "1700000000000000"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=6),
    max_leaves=12,
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_specversion", "ce_source", "ce_type", "ce_time", "x"]),
        st.none() | st.binary(max_size=6) | st.sampled_from([b"1.0", b"click"]),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(
    form=st.sampled_from(sorted(FORMATS)),
    value=_JSON.map(lambda v: json.dumps(v).encode())
    | st.binary(min_size=1, max_size=30)
    | st.lists(_TEXTS, min_size=131, max_size=131).map(lambda c: "\t".join(c).encode()),
    headers=_HEADERS,
)
def test_whatever_comes_has_exactly_one_result(form: str, value: bytes, headers: Any) -> None:
    result = take(form, value, headers)
    assert result.accepted + len(result.dead) + result.ignored.total() == 1
    assert bool(result.accepted) == bool(result.records)


def test_every_format_of_the_settings_is_there() -> None:
    schema = Platform.model_json_schema()["properties"]["format"]
    assert set(schema["enum"]) == {"native", *FORMATS}


@pytest.mark.parametrize(
    ("field", "own"),
    [
        ("item_id", "properties.product_id"),
        ("items", "properties.products"),
        ("items[2].item_id", "properties.products[2].product_id"),
        ("user_id", "userId"),
        ("properties.products[1].sku", "properties.products[1].sku"),
        ("key", "key"),
        ("", ""),
    ],
)
def test_fields_in_a_formats_words(field: str, own: str) -> None:
    error = RecordError("bad_id", field, "v", "send item_id (intake.max_id_bytes)")
    told = FORMATS["segment"].in_its_words(error)
    assert (told.reason, told.field, told.value) == ("bad_id", own, "v")
    assert told.remedy == "send properties.product_id (intake.max_id_bytes)"
