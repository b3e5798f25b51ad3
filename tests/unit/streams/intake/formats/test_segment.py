"""Segment's track calls."""

from __future__ import annotations

from typing import Any

import pytest

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


def call(event: str = "Product Clicked", **changes: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "messageId": "m1",
        "userId": "ann",
        "anonymousId": "a-1",
        "timestamp": THEN,
        "originalTimestamp": "2020-01-01T00:00:00Z",
        "context": {"ip": "::1"},
        "properties": {"product_id": "p1", "sku": "s1", "price": 3.5},
        **changes,
    }


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("Product List Viewed", "browse"),
        ("Product Viewed", "browse"),
        ("Viewed Product", "browse"),
        ("Product Clicked", "click"),
        ("  product clicked ", "click"),
        ("Product Added", "cart"),
        ("Product Added to Wishlist", "favourite"),
        ("Order Completed", "purchase"),
        ("Completed Order", "purchase"),
        ("Order Refunded", "refund"),
        ("Order Cancelled", "refund"),
    ],
)
def test_names_of_both_versions(name: str, action: str) -> None:
    assert events(take("segment", call(name))) == [("u/ann", action, "p1", THEN_MS)]


def test_an_order_is_one_event_for_each_product() -> None:
    order = {"order_id": "o1", "products": [{"product_id": "p1"}, {"sku": "s2"}, {"id": 3}]}
    result = take("segment", call("Order Completed", properties=order))
    assert [item for _, _, item, _ in events(result)] == ["p1", "s2", "3"]
    assert len(set(hashes(result))) == 3


def test_an_anonymous_call_counts_for_the_local_id() -> None:
    result = take("segment", call(userId=None))
    assert events(result) == [("l/segment/a-1", "click", "p1", THEN_MS)]


def test_times() -> None:
    original = call(timestamp=None, originalTimestamp=THEN)
    assert events(take("segment", original))[0][3] == THEN_MS
    neither = call(timestamp=None, originalTimestamp=None)
    assert events(take("segment", neither))[0][3] == NOW_MS - 1


def test_the_message_id_is_the_identity() -> None:
    again = call(timestamp="2026-11-22T10:01:00Z", context={})
    assert hashes(take("segment", call())) == hashes(take("segment", again))
    assert hashes(take("segment", call())) != hashes(take("segment", call(messageId="m2")))


@pytest.mark.parametrize(
    "value",
    [
        {"type": "page", "name": "Home"},
        {"type": "identify", "userId": "ann"},
        call("Product Removed"),
        call("Checkout Started"),
        call("Signed Up", properties={"products": "none", "id": {"a": 1}}),
        {"type": "page", "properties": 3},
    ],
)
def test_other_calls_are_ignored(value: dict[str, Any]) -> None:
    assert is_ignored(take("segment", value))


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        ({"user_id": "ann", "item_id": "i"}, "wrong_format", "type"),
        ({"type": 3}, "wrong_type", "type"),
        (call(properties={}), "no_item", "properties.product_id"),
        (call(properties={"product_id": ""}), "bad_id", "properties.product_id"),
        (call(properties={"product_id": True}), "wrong_type", "properties.product_id"),
        (call(properties={"products": [{}]}), "no_item", "properties.products[0].product_id"),
        (call(userId=None, anonymousId=None), "no_user", "userId"),
        (call(messageId=""), "bad_id", "messageId"),
        (call(timestamp="yesterday"), "bad_time", "timestamp"),
        (call(timestamp="2027-11-22T10:00:00Z"), "from_future", "timestamp"),
        (b"{", "not_json", ""),
    ],
)
def test_dead_letters_speak_of_segments_fields(value: Any, reason: str, field: str) -> None:
    assert problem(take("segment", value)) == (reason, field)


def test_remedies_speak_of_segments_fields_too() -> None:
    [letter] = take("segment", call(userId=None, anonymousId=None)).dead
    assert letter.remedy == "send userId in the value, or the id as the record's key"
