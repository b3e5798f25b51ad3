"""Segment and RudderStack: track calls of the e-commerce specification, versions 1 and 2.

Specification: https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.formats.base import Format, Headers
from streams.intake.formats.native import DateTime, Id, ItemRef, NativeEvent

ACTIONS: Final = {
    "product list viewed": "browse",
    "product viewed": "browse",
    "product clicked": "click",
    "product added": "cart",
    "product added to wishlist": "favourite",
    "order completed": "purchase",
    "order refunded": "refund",
    "order cancelled": "refund",
    # Version 1 of the specification.
    "viewed product category": "browse",
    "viewed product": "browse",
    "clicked product": "click",
    "added product": "cart",
    "completed order": "purchase",
    "refunded order": "refund",
    "cancelled order": "refund",
}
"""Event name, trimmed and in lower case -> action; every other event is none of ours."""


class Product(msgspec.Struct, gc=False):
    """A product as properties name it; ``id`` is version 1's name for ``product_id``."""

    product_id: Id | None = None
    sku: Id | None = None
    id: Id | None = None

    def item_id(self) -> Id | None:
        """The id that names the product best."""
        return next((v for v in (self.product_id, self.id, self.sku) if v is not None), None)


class Properties(Product, gc=False):
    """Properties of a track call: one product, or several."""

    products: list[Product] | None = None


class Head(msgspec.Struct, gc=False):
    """What says whether a call matters here."""

    type: str | None = None
    event: str | None = None


class Call(Head, rename="camel", gc=False):
    """One call."""

    message_id: Id | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    timestamp: DateTime | None = None
    original_timestamp: DateTime | None = None
    sent_at: DateTime | None = None
    received_at: DateTime | None = None
    properties: Properties | None = None


_decode_head: Callable[[bytes], Head] = msgspec.json.Decoder(Head).decode
_decode_call: Callable[[bytes], Call] = msgspec.json.Decoder(Call).decode


def decode(value: bytes, headers: Headers) -> Sequence[NativeEvent]:
    """The event of a track call; none for other calls and for events without products.

    ``timestamp`` is already corrected by Segment's server for the client's clock; without it,
    ``originalTimestamp`` is corrected here by ``sentAt`` and ``receivedAt``.
    """
    try:
        call = _decode_call(value)
    except msgspec.ValidationError:
        if _action(_decode_head(value)) is None:
            return ()
        raise
    action = _action(call)
    if action is None:
        return ()
    properties = call.properties or Properties()
    return (
        NativeEvent(
            event_id=call.message_id,
            user_id=call.user_id,
            local_id=call.anonymous_id,
            action=action,
            item_id=properties.item_id(),
            items=[ItemRef(product.item_id()) for product in properties.products or ()],
            time=call.timestamp or call.original_timestamp,
            sent_at=None if call.timestamp else call.sent_at,
            received_at=call.received_at,
        ),
    )


def _action(head: Head) -> str | None:
    if head.type is None and head.event is None:
        raise RecordError(
            reasons.WRONG_FORMAT, "type", "", 'send Segment calls: {"type": "track", "event": ...}'
        )
    if head.type not in (None, "track") or head.event is None:
        return None
    return ACTIONS.get(head.event.strip().lower())


FORMAT: Final = Format(
    decode,
    {
        "event_id": "messageId",
        "user_id": "userId",
        "local_id": "anonymousId",
        "action": "event",
        "item_id": "properties.product_id",
        "items": "properties.products",
        "item": "product_id",
        "time": "timestamp",
        "sent_at": "sentAt",
        "received_at": "receivedAt",
    },
)
