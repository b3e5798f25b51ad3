"""Snowplow: enriched events, as tab-separated lines or as JSON of the analytics SDKs.

Columns: the enriched event's canonical model. Actions: the e-commerce schema
``iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action`` with its product
entities (https://docs.snowplow.io/docs/events/ootb-data/ecommerce-events), and the older
``transaction_item`` event. Snowplow keeps its own bad rows apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.decode import TIME_REMEDY
from streams.intake.formats.base import Format, Headers
from streams.intake.formats.native import Id, ItemRef, NativeEvent

ACTIONS: Final = {
    "product_view": "browse",
    "list_view": "browse",
    "list_click": "click",
    "add_to_cart": "cart",
    "transaction": "purchase",
    "refund": "refund",
}
"""Type of the e-commerce action -> action; every other type is none of ours."""

COLUMNS: Final = 131
# Indices of the columns that matter in an enriched event's line.
AT: Final = {
    "event": 5,
    "event_id": 6,
    "user_id": 12,
    "domain_userid": 15,
    "network_userid": 17,
    "collector_tstamp": 3,
    "contexts": 52,
    "unstruct_event": 58,
    "ti_sku": 69,
    "derived_tstamp": 125,
}
VENDOR: Final = "com_snowplowanalytics_snowplow_ecommerce"
ACTION_FIELD: Final = f"unstruct_event_{VENDOR}_snowplow_ecommerce_action_1"
PRODUCT_FIELD: Final = f"contexts_{VENDOR}_product_1"
ACTION_SCHEMA: Final = "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/"
PRODUCT_SCHEMA: Final = "iglu:com.snowplowanalytics.snowplow.ecommerce/product/"


class Action(msgspec.Struct, gc=False):
    """The e-commerce action."""

    type: str | None = None


class Product(msgspec.Struct, gc=False):
    """The product entity."""

    id: Id | None = None


class Head(msgspec.Struct, gc=False):
    """What says whether an event matters here."""

    event: str | None = None
    event_id: Id | None = None
    action: Action | None = msgspec.field(name=ACTION_FIELD, default=None)


class Enriched(Head, gc=False):
    """An enriched event, reduced to what matters here."""

    user_id: Id | None = None
    domain_userid: Id | None = None
    network_userid: Id | None = None
    collector_tstamp: str | None = None
    derived_tstamp: str | None = None
    ti_sku: Id | None = None
    products: list[Product] | None = msgspec.field(name=PRODUCT_FIELD, default=None)


class SelfDescribing(msgspec.Struct, gc=False):
    """Data that names its schema."""

    schema: str
    data: msgspec.Raw


class Wrapped(msgspec.Struct, gc=False):
    """The column ``unstruct_event``."""

    data: SelfDescribing


class Contexts(msgspec.Struct, gc=False):
    """The column ``contexts``."""

    data: list[SelfDescribing]


_decode_head: Callable[[bytes], Head] = msgspec.json.Decoder(Head).decode
_decode_enriched: Callable[[bytes], Enriched] = msgspec.json.Decoder(Enriched).decode
_decode_wrapped: Callable[[str], Wrapped] = msgspec.json.Decoder(Wrapped).decode
_decode_contexts: Callable[[str], Contexts] = msgspec.json.Decoder(Contexts).decode
_decode_action: Callable[[msgspec.Raw], Action] = msgspec.json.Decoder(Action).decode
_decode_product: Callable[[msgspec.Raw], Product] = msgspec.json.Decoder(Product).decode


def decode(value: bytes, headers: Headers) -> Sequence[NativeEvent]:
    """The e-commerce action of an enriched event; none for every other event."""
    event = _from_json(value) if value.lstrip()[:1] in (b"{", b"[") else _from_line(value)
    action = None if event is None else _action(event)
    if event is None or action is None:
        return ()
    local = event.domain_userid if event.domain_userid is not None else event.network_userid
    return (
        NativeEvent(
            event_id=event.event_id,
            user_id=event.user_id,
            local_id=local,
            action=action,
            item_id=event.ti_sku if event.action is None else None,
            items=[ItemRef(product.id) for product in event.products or ()],
            time=_time(event.derived_tstamp or event.collector_tstamp),
        ),
    )


def _action(head: Head) -> str | None:
    """Action of an event, or None where it is none of ours."""
    if head.event is None and head.event_id is None:
        raise RecordError(
            reasons.WRONG_FORMAT, "event", "", "send enriched events, as lines or as the SDKs' JSON"
        )
    if head.action is not None:
        return ACTIONS.get(head.action.type or "")
    return "purchase" if head.event == "transaction_item" else None


def _from_json(value: bytes) -> Enriched | None:
    try:
        return _decode_enriched(value)
    except msgspec.ValidationError:
        if _action(_decode_head(value)) is None:
            return None
        raise


def _from_line(value: bytes) -> Enriched:
    columns = value.decode().rstrip("\r\n").split("\t")
    if len(columns) < COLUMNS:
        raise RecordError(
            reasons.WRONG_FORMAT, "", value[:200],
            f"send enriched events of {COLUMNS} columns; this line has {len(columns)}",
        )  # fmt: skip
    found = {name: columns[index] or None for name, index in AT.items()}
    wrapped, contexts = found.pop("unstruct_event"), found.pop("contexts")
    action = _wrapped_action(wrapped) if wrapped else None
    products = _entities(contexts) if contexts and action else None
    return Enriched(action=action, products=products, **found)


def _wrapped_action(column: str) -> Action | None:
    inner = _decode_wrapped(column).data
    return _decode_action(inner.data) if inner.schema.startswith(ACTION_SCHEMA) else None


def _entities(column: str) -> list[Product]:
    entities = _decode_contexts(column).data
    return [_decode_product(e.data) for e in entities if e.schema.startswith(PRODUCT_SCHEMA)]


def _time(text: str | None) -> datetime | None:
    """Snowplow's times are UTC; its lines don't say so, its JSON does."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise RecordError(reasons.BAD_TIME, "time", text, TIME_REMEDY) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


FORMAT: Final = Format(
    decode,
    {
        "local_id": "domain_userid",
        "action": "unstruct_event.type",
        "item_id": "contexts.product.id",
        "items": "contexts.product",
        "item": "id",
        "time": "derived_tstamp",
    },
)
