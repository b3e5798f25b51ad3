"""Typed JSON decoding, and from its errors the field, the value and the remedy.

msgspec checks types while it parses, which is why good records need no checks of their own;
a bad one is parsed a second time here, without types, to say what it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streams.errors import RecordError
from streams.intake import reasons

DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Everything that msgspec raises on bytes that aren't JSON of the expected shape."""

_AT: Final = re.compile(r" - at `\$(.*)`$")
_PART: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
ID_REMEDY: Final = "send text or a whole number"
TIME_REMEDY: Final = (
    "send RFC3339 text with an offset, such as 2026-01-31T12:00:00Z, or a number of seconds, "
    "milliseconds or microseconds since 1970"
)
TIME_FIELDS: Final = frozenset(
    {
        "time",
        "timestamp",
        "originalTimestamp",
        "timestamp_micros",
        "event_timestamp",
        "derived_tstamp",
        "collector_tstamp",
    }
)
REMEDIES: Final[Mapping[str, str]] = {
    "action": "send the action's name as text",
    "items": 'send a list of items, each {"item_id": ...}, text or a whole number',
    "title": "send the title as text",
    "category": "send the category as text, or leave it out",
}


def explain(error: Exception, raw: bytes) -> RecordError:
    """What is wrong with ``raw``, which a typed decoder refused with ``error``."""
    if isinstance(error, RecordError):
        return error
    if isinstance(error, RecursionError):
        return RecordError(reasons.TOO_DEEP, "", raw[:200], "send a JSON object without such depth")
    if isinstance(error, msgspec.ValidationError):
        return _explain_type(error, raw)
    return RecordError(
        reasons.NOT_JSON, "", raw[:200], f"send one JSON object in UTF-8; the parser says: {error}"
    )


def _explain_type(error: msgspec.ValidationError, raw: bytes) -> RecordError:
    """The field at which a typed decoder stopped, and what it holds."""
    message = str(error)
    found = _AT.search(message)
    path = found.group(1).lstrip(".") if found else ""
    if not path:
        return RecordError(reasons.NOT_JSON, "", raw[:200], "send a JSON object: {...}")
    name = path.rpartition(".")[2].partition("[")[0]
    reason, remedy = reasons.WRONG_TYPE, REMEDIES.get(name, "send what belongs there")
    if name in TIME_FIELDS:
        reason, remedy = reasons.BAD_TIME, TIME_REMEDY
    elif name.lower().endswith("id") or name == "sku":
        remedy = ID_REMEDY
    says = message[: found.start()] if found else message
    return RecordError(reason, path, shown(_value_at(raw, path)), f"{remedy} ({says})")


def _value_at(raw: bytes, path: str) -> Any:
    """What the JSON ``raw`` has at ``path``; its first bytes where that can't be told."""
    try:
        value = msgspec.json.decode(raw)
        for name, index in _PART.findall(path):
            value = value[name] if name else value[int(index)]
    except (*DECODE_ERRORS, LookupError, TypeError):
        return raw[:200]
    return value


def shown(value: object) -> str:
    """``value`` as JSON text where it came as JSON, shortened."""
    if isinstance(value, bytes):
        return str(value[:200])
    try:
        return msgspec.json.encode(value)[:200].decode(errors="replace")
    except (*DECODE_ERRORS, ValueError, TypeError):
        return f"{type(value).__name__} object"
