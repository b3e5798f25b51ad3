"""Google Analytics 4: payloads of the Measurement Protocol, and rows of the BigQuery export.

Specifications: https://developers.google.com/analytics/devguides/collection/protocol/ga4 and
https://support.google.com/analytics/answer/7029846 (the export's schema).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.formats.base import Format, Headers
from streams.intake.formats.native import Id, ItemRef, NativeEvent

ACTIONS: Final = {
    "view_item_list": "browse",
    "view_item": "browse",
    "select_item": "click",
    "add_to_cart": "cart",
    "add_to_wishlist": "favourite",
    "purchase": "purchase",
    "refund": "refund",
}
"""Event name -> action; every other event is none of ours."""

NOT_SET: Final = "(not set)"  # what the export has where a field is missing
Micros = int | str
"""Microseconds since 1970; JSON exports of BigQuery write 64-bit integers as text."""


class Item(msgspec.Struct, gc=False):
    """An entry of ``items``."""

    item_id: Id | None = None


class Params(msgspec.Struct, gc=False):
    """Parameters of an event of the Measurement Protocol."""

    items: list[Item] | None = None


class EventHead(msgspec.Struct, gc=False):
    """The name of an event of the Measurement Protocol."""

    name: str | None = None


class Event(EventHead, gc=False):
    """An event of the Measurement Protocol."""

    params: Params | None = None
    timestamp_micros: Micros | None = None


class Head(msgspec.Struct, gc=False):
    """What says whether a record matters here."""

    events: list[EventHead] | None = None
    event_name: str | None = None


class Record(msgspec.Struct, gc=False):
    """A payload (``events``) or a row (``event_name``); they share ``user_id``."""

    events: list[Event] | None = None
    client_id: Id | None = None
    app_instance_id: Id | None = None
    timestamp_micros: Micros | None = None
    event_name: str | None = None
    event_timestamp: Micros | None = None
    user_pseudo_id: Id | None = None
    items: list[Item] | None = None
    user_id: Id | None = None


_decode_head: Callable[[bytes], Head] = msgspec.json.Decoder(Head).decode
_decode_record: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode


def decode(value: bytes, headers: Headers) -> Sequence[NativeEvent]:
    """The events of a payload or row that are interactions with items, in order."""
    try:
        record = _decode_record(value)
    except msgspec.ValidationError:
        if not any(name in ACTIONS for name in _names(_decode_head(value))):
            return ()
        raise
    _names(record)
    if record.event_name is not None:
        row = Event(record.event_name, Params(record.items), record.event_timestamp)
        return [_native(record, row)] if row.name in ACTIONS else ()
    return [_native(record, event) for event in record.events or () if event.name in ACTIONS]


def _names(head: Head | Record) -> list[str | None]:
    """Names of all events of a record."""
    if head.event_name is not None:
        return [head.event_name]
    if head.events is None:
        raise RecordError(
            reasons.WRONG_FORMAT, "events", "",
            "send payloads of the Measurement Protocol (events) or rows of the export (event_name)",
        )  # fmt: skip
    return [event.name for event in head.events]


def _native(record: Record, event: Event) -> NativeEvent:
    micros = event.timestamp_micros
    locals_ = (record.client_id, record.app_instance_id, record.user_pseudo_id)
    entries = (event.params.items if event.params else None) or ()
    return NativeEvent(
        user_id=record.user_id if record.user_id != "" else None,
        local_id=next((local for local in locals_ if local is not None), None),
        action=ACTIONS[event.name or ""],
        items=[ItemRef(None if item.item_id == NOT_SET else item.item_id) for item in entries],
        time=_micros(record.timestamp_micros if micros is None else micros),
    )


def _micros(value: Micros | None) -> int | None:
    if not isinstance(value, str):
        return value
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise RecordError(
            reasons.BAD_TIME, "time", value, "send a whole number of microseconds since 1970"
        )
    return int(value)


FORMAT: Final = Format(
    decode,
    {
        "local_id": "client_id",
        "action": "name",
        "item_id": "params.items",
        "items": "params.items",
        "item": "item_id",
        "time": "timestamp_micros",
    },
)
