"""The rules for ids, actions, items and times of one event. Pure; errors are RecordErrors."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from models.contract import ACTIONS
from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.decode import TIME_REMEDY, shown
from streams.intake.formats.native import Id, NativeEvent

EARLIEST_MS: Final = 631_152_000_000  # 1990-01-01T00:00:00Z
# A number is taken for seconds, milliseconds or microseconds by its size: each unit covers
# the years up to 5138, and none of them reaches 1990 in the next smaller unit's range.
SECONDS_BELOW: Final = 1e11
MILLISECONDS_BELOW: Final = 1e14
MICROSECONDS_BELOW: Final = 1e17

_BY_NAME: Final = {action: action for action in ACTIONS}
_ACTION_REMEDY: Final = f"use one of {', '.join(ACTIONS)}"


def text_id(value: Id, field: str, max_bytes: int) -> str:
    """``value`` as a usable id.

    Raises:
        RecordError: it is empty, blank, or longer than ``max_bytes`` of UTF-8.
    """
    text = value if type(value) is str else str(value)
    if not text or text.isspace():
        raise RecordError(reasons.BAD_ID, field, shown(value), "send a non-empty id, or null")
    # No character takes more than 4 bytes, so short ids needn't be encoded to be measured.
    if len(text) * 4 > max_bytes and len(text.encode()) > max_bytes:
        raise RecordError(
            reasons.BAD_ID,
            field,
            text,
            f"send an id of at most {max_bytes} bytes (intake.max_id_bytes)",
        )
    return text


def key_id(key: bytes | None, field: str, max_bytes: int) -> str:
    """The id that a record's key is.

    Raises:
        RecordError: there is no key, it isn't UTF-8, or :func:`text_id` refuses it.
    """
    if not key:
        raise RecordError(
            reasons.NO_USER, field, "", f"send {field} in the value, or the id as the record's key"
        )
    try:
        text = key.decode()
    except UnicodeDecodeError as error:
        raise RecordError(reasons.BAD_ID, "key", key, f"send {field}, or a key in UTF-8") from error
    return text_id(text, "key", max_bytes)


def id_of_record(key: bytes | None, given: Id | None, field: str, max_bytes: int) -> str:
    """The id of a compacted topic's record: in its value, or its key.

    Raises:
        RecordError: there is none, or the two differ: compaction goes by the key, and under
            another one the record could never be replaced.
    """
    if given is None:
        return key_id(key, field, max_bytes)
    found = text_id(given, field, max_bytes)
    if key and key != found.encode():
        raise RecordError(reasons.KEY_MISMATCH, "key", key, f"key the record by {found!r}")
    return found


def action_of(given: str | None, default: str | None) -> str:
    """The event's action: what the value says, else what the topic says.

    Raises:
        RecordError: neither says one, or it is unknown.
    """
    if given is None:
        if default is None:
            raise RecordError(reasons.NO_ACTION, "action", "", f"send action: {_ACTION_REMEDY}")
        return default
    action = _BY_NAME.get(given) or _BY_NAME.get(given.strip().lower())
    if action is None:
        raise RecordError(reasons.UNKNOWN_ACTION, "action", given, _ACTION_REMEDY)
    return action


def items_of(event: NativeEvent, max_bytes: int, max_items: int) -> list[str]:
    """Ids of the event's items, in order: ``items`` where it has entries, else ``item_id``.

    Raises:
        RecordError: there is no item, there are too many, or one's id is unusable.
    """
    if not event.items:
        if event.item_id is None:
            raise RecordError(reasons.NO_ITEM, "item_id", "", "send item_id, or items with entries")
        return [text_id(event.item_id, "item_id", max_bytes)]
    if len(event.items) > max_items:
        raise RecordError(
            reasons.TOO_MANY_ITEMS,
            "items",
            f"{len(event.items)} items",
            f"send at most {max_items} (intake.max_items) in one event",
        )
    return [_entry_id(entry, index, max_bytes) for index, entry in enumerate(event.items)]


def _entry_id(entry: object, index: int, max_bytes: int) -> str:
    field = f"items[{index}].item_id"
    value = entry if isinstance(entry, str | int) else getattr(entry, "item_id", None)
    if value is None:
        raise RecordError(reasons.NO_ITEM, field, "", "give every entry of items its item_id")
    return text_id(value, field, max_bytes)


def time_ms_of(time: datetime | int | float | None, kafka_ms: int, latest_ms: int) -> int:
    """Event time in milliseconds since 1970 UTC, rounded.

    Args:
        time: what the event says: a datetime with offset, or a number (seconds, milliseconds
            or microseconds, by its size).
        kafka_ms: Kafka timestamp, taken where the event says nothing; -1 for none.
        latest_ms: the latest time that is believed.

    Raises:
        RecordError: there is no time, it is before 1990, or after ``latest_ms``.
    """
    if type(time) is int and EARLIEST_MS <= time <= latest_ms < MILLISECONDS_BELOW:
        return time  # milliseconds, as most send it
    ms = kafka_ms if time is None else said_ms(time)
    if EARLIEST_MS <= ms <= latest_ms:
        return ms
    raise _time_error(time, ms, latest_ms)


def corrected_ms_of(event: NativeEvent, kafka_ms: int, latest_ms: int) -> int:
    """Event time by the receiver's clock, of an event that says when it was sent.

    What the sender's clock is ahead, ``sent_at - received_at``, is taken off (Segment's rule:
    https://www.twilio.com/docs/segment/connections/spec/common, "Timestamps"). Nothing happens
    after it was received, so that is the latest that the result can be. A clock that is years
    off is corrected like any other; the result has the bounds of every time.

    Args:
        event: with ``time`` and ``sent_at``; without ``received_at`` the record's Kafka
            timestamp is when it was received.
        kafka_ms: that timestamp; where it is -1 too, nothing is corrected.
        latest_ms: the latest time that is believed.

    Raises:
        RecordError: as :func:`time_ms_of`; for ``sent_at`` and ``received_at`` too.
    """
    assert event.time is not None
    assert event.sent_at is not None
    said, sent = said_ms(event.time), said_ms(event.sent_at, "sent_at")
    received = kafka_ms
    if event.received_at is not None:
        received = said_ms(event.received_at, "received_at")
    ms = said if received < 0 else min(said - (sent - received), received)
    if EARLIEST_MS <= ms <= latest_ms:
        return ms
    raise _time_error(event.time, ms, latest_ms)


def said_ms(time: datetime | float, field: str = "time") -> int:
    """A time on the wire in milliseconds since 1970 UTC, whether it can be believed or not.

    Raises:
        RecordError: a number is beyond microseconds.
    """
    if isinstance(time, datetime):
        return round(time.timestamp() * 1000)
    if time < SECONDS_BELOW:
        return round(time * 1000)
    if time < MILLISECONDS_BELOW:
        return round(time)
    if time < MICROSECONDS_BELOW:
        return round(time / 1000)
    raise RecordError(reasons.BAD_TIME, field, time, TIME_REMEDY)


def _time_error(time: datetime | float | None, ms: int, latest_ms: int) -> RecordError:
    if time is None and ms < 0:
        return RecordError(
            reasons.BAD_TIME, "time", "", f"{TIME_REMEDY} (no Kafka timestamp either)"
        )
    field = "time" if time is not None else "Kafka timestamp"
    value = time.isoformat() if isinstance(time, datetime) else ms if time is None else time
    if ms < EARLIEST_MS:
        return RecordError(
            reasons.TOO_OLD, field, value, "send a time after 1990-01-01; check the unit"
        )
    ahead = (ms - latest_ms) / 1000
    return RecordError(
        reasons.FROM_FUTURE,
        field,
        value,
        f"it is {ahead:.0f} s beyond what is allowed; correct the clock (window.max_future_s)",
    )
