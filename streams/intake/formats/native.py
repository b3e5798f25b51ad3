"""The native event: this project's own JSON, and the common shape of every other format.

Unknown fields are ignored; of a field that comes twice the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec

Id = str | int
"""An id on the wire; whole numbers count as their decimal text."""

DateTime = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 text with an offset."""

Time = DateTime | int | float
"""A time on the wire: RFC 3339 text with an offset, or a number since 1970."""


class ItemRef(msgspec.Struct, gc=False):
    """One entry of an event's ``items``."""

    item_id: Id | None = None


class NativeEvent(msgspec.Struct, gc=False):
    """One event as producers send it (see docs/events.md).

    Attributes:
        event_id: the producer's id of the event.
        user_id: canonical user id.
        local_id: the platform's own id of the user.
        action: name of the action; the topic's where it is missing.
        item_id: the item.
        items: several items, for instance of one purchase.
        time: event time; the Kafka timestamp where it is missing.
        sent_at: when it was sent, by the clock that ``time`` is by.
        received_at: when it was received, by a clock that is right; the Kafka timestamp where
            it is missing.
    """

    event_id: Id | None = None
    user_id: Id | None = None
    local_id: Id | None = None
    action: str | None = None
    item_id: Id | None = None
    items: list[ItemRef | str | int] | None = None
    time: Time | None = None
    sent_at: Time | None = None
    received_at: Time | None = None


decode_native: Callable[[bytes], NativeEvent] = msgspec.json.Decoder(NativeEvent).decode
"""Bytes -> event; raises one of ``streams.intake.decode.DECODE_ERRORS``."""
