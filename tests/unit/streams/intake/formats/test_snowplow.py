"""Snowplow's enriched events, as lines and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.intake.formats.snowplow import ACTION_FIELD, AT, COLUMNS, PRODUCT_FIELD
from tests.unit.streams.intake.formats.support import (
    NOW_MS,
    THEN,
    THEN_MS,
    events,
    hashes,
    is_ignored,
    problem,
    take,
)

VENDOR = "iglu:com.snowplowanalytics.snowplow"


def as_json(kind: str = "list_click", products: Any = ("i1",), **changes: Any) -> dict[str, Any]:
    return {
        "app_id": "web",
        "event": "unstruct",
        "event_id": "e1",
        "user_id": "ann",
        "domain_userid": "d1",
        "network_userid": "n1",
        "collector_tstamp": "2026-11-22T10:05:00Z",
        "derived_tstamp": THEN,
        ACTION_FIELD: {"type": kind},
        PRODUCT_FIELD: [{"id": product, "price": 1} for product in products],
        **changes,
    }


def as_line(kind: str = "list_click", products: Any = ("i1",), **changes: str) -> bytes:
    entities = [entity("web_page", {"id": "x"}), *(entity("product", {"id": p}) for p in products)]
    action = entity("snowplow_ecommerce_action", {"type": kind})
    named = {
        "event": "unstruct",
        "event_id": "e1",
        "user_id": "ann",
        "domain_userid": "d1",
        "network_userid": "n1",
        "collector_tstamp": "2026-11-22 10:05:00.000",
        "derived_tstamp": "2026-11-22 10:00:00.500",
        "contexts": json.dumps({"schema": f"{VENDOR}/contexts/jsonschema/1-0-0", "data": entities}),
        "unstruct_event": json.dumps({"schema": f"{VENDOR}/unstruct_event/", "data": action}),
        **changes,
    }
    columns = [""] * COLUMNS
    for name, text in named.items():
        columns[AT[name]] = text
    return "\t".join(columns).encode()


def entity(name: str, data: dict[str, Any]) -> dict[str, Any]:
    vendor = f"{VENDOR}.ecommerce" if name != "web_page" else VENDOR
    return {"schema": f"{vendor}/{name}/jsonschema/1-0-0", "data": data}


@pytest.mark.parametrize("record", [as_json, as_line])
@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("product_view", "browse"),
        ("list_view", "browse"),
        ("list_click", "click"),
        ("add_to_cart", "cart"),
        ("transaction", "purchase"),
        ("refund", "refund"),
    ],
)
def test_types(record: Any, kind: str, action: str) -> None:
    assert events(take("snowplow", record(kind))) == [("u/ann", action, "i1", THEN_MS)]


@pytest.mark.parametrize("record", [as_json, as_line])
def test_a_transaction_is_one_event_for_each_product(record: Any) -> None:
    result = take("snowplow", record("transaction", ("i1", 2)))
    assert [item for _, _, item, _ in events(result)] == ["i1", "2"]


def test_a_line_and_its_json_are_the_same_event() -> None:
    assert hashes(take("snowplow", as_line())) == hashes(take("snowplow", as_json()))


def test_local_ids() -> None:
    assert events(take("snowplow", as_line(user_id="")))[0][0] == "l/snowplow/d1"
    neither = as_json(user_id=None, domain_userid=None)
    assert events(take("snowplow", neither))[0][0] == "l/snowplow/n1"


def test_the_collectors_time_where_there_is_no_other() -> None:
    collected = THEN_MS + 299_500
    assert events(take("snowplow", as_line(derived_tstamp="")))[0][3] == collected
    assert events(take("snowplow", as_json(derived_tstamp=None)))[0][3] == collected
    untimed = as_json(derived_tstamp=None, collector_tstamp=None)
    assert events(take("snowplow", untimed))[0][3] == NOW_MS - 1


def test_the_older_transaction_items() -> None:
    line = as_line(unstruct_event="", contexts="", event="transaction_item", ti_sku="s1")
    assert events(take("snowplow", line)) == [("u/ann", "purchase", "s1", THEN_MS)]
    absent: dict[str, Any] = {ACTION_FIELD: None, PRODUCT_FIELD: None}
    value = {**as_json(event="transaction_item", ti_sku="s1"), **absent}
    assert events(take("snowplow", value)) == [("u/ann", "purchase", "s1", THEN_MS)]


@pytest.mark.parametrize(
    "value",
    [
        as_json("checkout_step"),
        as_line("remove_from_cart"),
        {**as_json(event="page_view"), ACTION_FIELD: None},
        as_line(unstruct_event="", event="page_view"),
        as_line(unstruct_event=json.dumps({"data": entity("web_page", {"type": "list_click"})})),
        {**as_json("promo_view"), PRODUCT_FIELD: 3},
    ],
)
def test_other_events_are_ignored(value: Any) -> None:
    assert is_ignored(take("snowplow", value))


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"a\tb", "wrong_format", ""),
        (b"\xff", "not_json", ""),
        ({"user_id": "ann"}, "wrong_format", "event"),
        (as_json(products=()), "no_item", "contexts.product.id"),
        (as_line(products=("",)), "bad_id", "contexts.product[0].id"),
        (as_json(products=(True,)), "wrong_type", f"{PRODUCT_FIELD}[0].id"),
        (as_line(contexts="{"), "not_json", ""),
        (as_json(derived_tstamp="soon"), "bad_time", "derived_tstamp"),
        (as_line(user_id="", domain_userid="", network_userid=""), "no_user", "user_id"),
    ],
)
def test_dead_letters(value: Any, reason: str, field: str) -> None:
    assert problem(take("snowplow", value)) == (reason, field)
