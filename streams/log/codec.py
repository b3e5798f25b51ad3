"""Records of the log as bytes.

Events, nearly all of the log, have a form of their own: the numbers at fixed places
(:data:`HEAD`), so that numpy reads a whole batch of them at once, then the names as one
MessagePack array, which is the same bytes for every event of that kind with that item: what it
stands for is looked up, not decoded (``streams.update.name_cache``). All other records are
MessagePack arrays, versioned by their tag.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
import numpy as np

from streams.log.records import Event, LogRecord, Via

EVENT_FORM: Final = 0xC1
"""First byte of an event; no MessagePack value begins with it."""

HEAD: Final = np.dtype(
    [
        ("form", "u1"),
        ("version", "u1"),
        ("sub", "<u2"),
        ("partition", "<u4"),
        ("offset", "<i8"),
        ("time_ms", "<i8"),
        ("event_hash", "<u8"),
        ("source_ms", "<i8"),
    ]
)
"""Numbers of an event, 40 bytes; then a MessagePack array of topic, platform, action and item."""

HEAD_BYTES: Final = HEAD.itemsize
_EVENT_MARK: Final = bytes((EVENT_FORM,))
VERSION: Final = 0
"""Second byte of an event."""
_head = struct.Struct("<BBHIqqQq")


class Names(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The texts of an event, which follow its numbers."""

    topic: str
    platform: str
    action: str
    item: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LogRecord)
_names_decoder = msgspec.msgpack.Decoder(Names)


def encode(record: LogRecord) -> bytes:
    """Bytes of a log record."""
    return _encode_event(record) if isinstance(record, Event) else _encoder.encode(record)


def _encode_event(event: Event) -> bytes:
    via = event.via
    names = via.topic, event.platform, event.action, event.item
    return encode_event(
        names, via.sub, via.partition, via.offset, event.time_ms, event.event_hash, event.source_ms
    )


def encode_event(
    names: tuple[str, str, str, str],
    sub: int,
    partition: int,
    offset: int,
    time_ms: int,
    event_hash: int,
    source_ms: int,
) -> bytes:
    """Bytes of an event whose fields are at hand; ``names`` as in :class:`Names`."""
    try:
        head = _head.pack(
            EVENT_FORM, VERSION, sub, partition, offset, time_ms, event_hash, source_ms
        )
    except struct.error:  # a number that the head has no room for
        topic, platform, action, item = names
        via = Via(topic, partition, offset, sub)
        return _encoder.encode(Event(via, platform, action, item, time_ms, event_hash, source_ms))
    return head + _encoder.encode(names)


def decode_names(tail: bytes) -> Names:
    """The texts of an event from the bytes behind its numbers.

    Raises:
        msgspec.DecodeError: it is something else.
    """
    try:
        names: Names = _names_decoder.decode(tail)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(f"a text isn't UTF-8: {error}") from error
    return names


def _decode_event(raw: bytes) -> Event:
    if len(raw) < HEAD_BYTES or raw[1] != VERSION:
        raise msgspec.DecodeError(
            f"an event of {len(raw)} bytes that begins with {raw[:2].hex()}: this version reads "
            f"events of version {VERSION} with {HEAD_BYTES} bytes and more; it may be truncated"
        )
    _, _, sub, partition, offset, time_ms, event_hash, source_ms = _head.unpack_from(raw)
    names = decode_names(raw[HEAD_BYTES:])
    via = Via(names.topic, partition, offset, sub)
    return Event(via, names.platform, names.action, names.item, time_ms, event_hash, source_ms)


def decode(raw: bytes) -> LogRecord:
    """A log record from its bytes.

    Raises:
        msgspec.DecodeError: ``raw`` isn't a record of this log (``ValidationError`` where
            it is MessagePack of another shape).
    """
    if raw[:1] == _EVENT_MARK:
        return _decode_event(raw)
    try:
        record: LogRecord = _decoder.decode(raw)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(f"a text isn't UTF-8: {error}") from error
    return record
