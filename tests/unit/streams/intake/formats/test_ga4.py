"""Google Analytics 4: payloads and export rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.streams.intake.formats.support import (
    NOW_MS,
    THEN_MS,
    events,
    hashes,
    is_ignored,
    problem,
    take,
)


def hit(name: str = "select_item", item: Any = "i1", **more: Any) -> dict[str, Any]:
    return {"name": name, "params": {"items": [{"item_id": item, "price": 2}]}, **more}


def payload(*hits: dict[str, Any], **changes: Any) -> dict[str, Any]:
    head = {"client_id": "c.1", "user_id": "ann", "timestamp_micros": THEN_MS * 1000}
    return {**head, "events": list(hits) or [hit()], **changes}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "event_name": "view_item",
        "event_timestamp": str(THEN_MS * 1000),
        "user_id": None,
        "user_pseudo_id": "p.1",
        "event_params": [{"key": "page", "value": {"string_value": "x"}}],
        "items": [{"item_id": "i1"}],
        **changes,
    }


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("view_item_list", "browse"),
        ("view_item", "browse"),
        ("select_item", "click"),
        ("add_to_cart", "cart"),
        ("add_to_wishlist", "favourite"),
        ("purchase", "purchase"),
        ("refund", "refund"),
    ],
)
def test_names(name: str, action: str) -> None:
    assert events(take("ga4", payload(hit(name)))) == [("u/ann", action, "i1", THEN_MS)]


def test_a_payload_of_several_events() -> None:
    later = hit("purchase", "i2", timestamp_micros=THEN_MS * 1000 + 7000)
    result = take("ga4", payload(hit(), {"name": "page_view"}, later, hit()))
    assert events(result) == [
        ("u/ann", "click", "i1", THEN_MS),
        ("u/ann", "purchase", "i2", THEN_MS + 7),
        ("u/ann", "click", "i1", THEN_MS),
    ]
    assert result.events == {("ga4", "click"): 2, ("ga4", "purchase"): 1}
    assert (result.accepted, len(set(hashes(result)))) == (1, 3)


def test_one_bad_event_rejects_the_whole_payload() -> None:
    result = take("ga4", payload(hit(), hit(item="")))
    assert problem(result) == ("bad_id", "params.items[0].item_id")
    assert result.events == {}


def test_an_export_row() -> None:
    assert events(take("ga4", row())) == [("l/ga4/p.1", "browse", "i1", THEN_MS)]


def test_users() -> None:
    assert events(take("ga4", payload(user_id="")))[0][0] == "l/ga4/c.1"
    app = payload(user_id=None, client_id=None, app_instance_id="a1")
    assert events(take("ga4", app))[0][0] == "l/ga4/a1"


def test_kafkas_time_where_the_payload_has_none() -> None:
    assert events(take("ga4", payload(timestamp_micros=None)))[0][3] == NOW_MS - 1


def test_the_same_payload_again_is_the_same_events() -> None:
    assert hashes(take("ga4", payload())) == hashes(take("ga4", payload(session=2)))


@pytest.mark.parametrize(
    "value",
    [
        payload({"name": "page_view"}),
        payload({"name": "remove_from_cart", "params": {"items": "x"}}),
        {"events": []},
        row(event_name="session_start"),
        row(event_name="session_start", items=3),
    ],
)
def test_other_events_are_ignored(value: dict[str, Any]) -> None:
    assert is_ignored(take("ga4", value))


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        ({"user_id": "ann"}, "wrong_format", "events"),
        (payload({"name": "refund"}), "no_item", "params.items"),
        (payload(hit(item="(not set)")), "no_item", "params.items[0].item_id"),
        (payload(hit(item=True)), "wrong_type", "events[0].params.items[0].item_id"),
        (payload(user_id=None, client_id=None), "no_user", "user_id"),
        (payload(timestamp_micros="soon"), "bad_time", "timestamp_micros"),
        (payload(timestamp_micros=1.5), "bad_time", "timestamp_micros"),
        (payload(timestamp_micros=-1), "too_old", "timestamp_micros"),
        (row(event_timestamp="9" * 30), "bad_time", "timestamp_micros"),
        (b"[]", "not_json", ""),
    ],
)
def test_dead_letters(value: Any, reason: str, field: str) -> None:
    assert problem(take("ga4", value)) == (reason, field)
