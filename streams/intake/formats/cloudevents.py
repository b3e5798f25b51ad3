"""CloudEvents 1.0 over Kafka, binary and structured mode, with a native event as data.

Specification: https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from models.contract import ACTIONS
from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.decode import TIME_REMEDY
from streams.intake.formats.base import Format, Headers
from streams.intake.formats.native import DateTime, NativeEvent, decode_native

MEDIA_TYPE: Final = "application/cloudevents"
NEEDED: Final = ("specversion", "id", "source", "type")


class Attributes(msgspec.Struct, gc=False):
    """The context attributes that matter here."""

    specversion: str | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    time: DateTime | None = None


class Envelope(Attributes, gc=False):
    """An event in structured mode; ``data_base64`` holds JSON in bytes."""

    data: NativeEvent | None = None
    data_base64: bytes | None = None


_decode_envelope: Callable[[bytes], Envelope] = msgspec.json.Decoder(Envelope).decode


def decode(value: bytes, headers: Headers) -> Sequence[NativeEvent]:
    """The event; its data wins over its attributes where both say something."""
    found = {name.lower(): raw.decode(errors="replace") for name, raw in headers if raw is not None}
    media_type = found.get("content-type", "").strip().lower()
    if "ce_specversion" in found and not media_type.startswith(MEDIA_TYPE):
        return (_merge(_from_headers(found), decode_native(value)),)
    if media_type.startswith(MEDIA_TYPE) and not media_type.startswith(f"{MEDIA_TYPE}+json"):
        raise RecordError(
            reasons.WRONG_FORMAT, "content-type", media_type, f"send {MEDIA_TYPE}+json"
        )
    envelope = _decode_envelope(value)
    if envelope.data_base64 is not None:
        return (_merge(envelope, decode_native(envelope.data_base64)),)
    return (_merge(envelope, envelope.data or NativeEvent()),)


def _from_headers(found: Mapping[str, str]) -> Attributes:
    named = {name: found.get(f"ce_{name}") for name in NEEDED}
    text = found.get("ce_time")
    try:
        time = None if text is None else msgspec.convert(text, DateTime)
    except msgspec.ValidationError as error:
        raise RecordError(reasons.BAD_TIME, "ce_time", text, TIME_REMEDY) from error
    return Attributes(**named, time=time)


def _merge(attributes: Attributes, event: NativeEvent) -> NativeEvent:
    """The data, with what only the attributes say."""
    for name in NEEDED:
        if not getattr(attributes, name):
            raise RecordError(
                reasons.WRONG_FORMAT, name, "",
                "send CloudEvents 1.0 with specversion, id, source and type",
            )  # fmt: skip
    if event.event_id is None:  # source and id together are unique, by the specification
        event.event_id = f"{attributes.source} {attributes.id}"
    if event.action is None:
        event.action = _action(attributes.type or "")
    if event.time is None:
        event.time = attributes.time
    return event


def _action(event_type: str) -> str | None:
    """The last word of the type that is an action (``com.example.shop.click.v1``)."""
    words = re.split(r"[^a-z]+", event_type.lower())
    return next((word for word in reversed(words) if word in ACTIONS), None)


FORMAT: Final = Format(decode, {"item": "item_id"})
