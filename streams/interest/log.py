"""The records of the log ``interest.events``: the only input of the update.

Everything that can change a user's state is a record of this log, so its order is the order
of the world: intake writes events and links; the update itself writes what one user's
partition has to tell another's (forwarded events, an adopted history).

Records are MessagePack arrays (one schema, versioned by the tag), and new fields may be appended
with a default. Events, nearly all of the log, have a form of their own: the numbers at fixed
places (:data:`HEAD`), so that numpy reads a whole batch of them at once, then the names as one
MessagePack array, which is the same bytes for every event of that kind with that item: what it
stands for is looked up, not decoded (``streams.interest.columns``).

``via`` is where a record came from; per producer it only grows, which is how a repeated
record is told from a new one (see ``docs/guarantees.md``).
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
import numpy as np
import xxhash

USER: Final = "u/"
LOCAL: Final = "l/"


def user_key(user_id: str) -> str:
    """Key of a canonical user in the log and in the state table."""
    return USER + user_id


def local_key(platform: str, local_id: str) -> str:
    """Key of a local id of a platform whose ids are linked to users."""
    return f"{LOCAL}{platform}/{local_id}"


def split_local_key(key: str) -> tuple[str, str]:
    """Platform and local id of a key made by :func:`local_key`.

    Raises:
        ValueError: ``key`` isn't a local key.
    """
    if not key.startswith(LOCAL):
        raise ValueError(f"{key!r} isn't the key of a local id")
    platform, _, local_id = key[len(LOCAL) :].partition("/")
    return platform, local_id


def stable_hash(text: str) -> int:
    """64-bit hash that is the same in every process and version (XXH3)."""
    return xxhash.xxh3_64_intdigest(text.encode())


class Via(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a log record came from: (topic, partition, offset, place inside the record).

    Attributes:
        topic: source topic (a platform's topic, or the log itself for forwarded records).
        partition: partition of that topic.
        offset: offset of the record in that partition.
        sub: place inside the source record (a purchase of several items is several events).
    """

    topic: str
    partition: int
    offset: int
    sub: int = 0


class Event(msgspec.Struct, array_like=True, tag="e", frozen=True, gc=False):
    """One interaction of one user with one item.

    Attributes:
        via: source position.
        platform: platform name.
        action: one of ``models.contract.ACTIONS``.
        item: item id on that platform.
        time_ms: event time, milliseconds since 1970 UTC.
        event_hash: :func:`stable_hash` of the event's identity: its id where the producer
            gives one, else its fields.
        source_ms: Kafka timestamp of the source record, for event-to-vector latency.
    """

    via: Via
    platform: str
    action: str
    item: str
    time_ms: int
    event_hash: int
    source_ms: int


class Link(msgspec.Struct, array_like=True, tag="l", frozen=True, gc=False):
    """A local id belongs to a user from here on in the log (``user`` None: to nobody).

    Travels under the local id's key.
    """

    via: Via
    platform: str
    local_id: str
    user: str | None
    source_ms: int


class Adopt(msgspec.Struct, array_like=True, tag="a", frozen=True, gc=False):
    """A local id now belongs to the user under whose key this record travels.

    Written by the owner of the local id's key when a link arrives.

    Attributes:
        state: the provisional user's stored value (``streams.interest.state``), or ``b""``
            where nothing was known of the local id.
    """

    via: Via
    platform: str
    local_id: str
    state: bytes
    source_ms: int


class Release(msgspec.Struct, array_like=True, tag="r", frozen=True, gc=False):
    """A local id no longer belongs to the user under whose key this record travels."""

    via: Via
    platform: str
    local_id: str
    source_ms: int


class Announce(msgspec.Struct, array_like=True, tag="n", frozen=True, gc=False):
    """Whoever has this local id publishes its vector, or takes it back where there is none.

    Written by the former owner after its last vector for the local id was acknowledged, to
    the local id's key, and from there forwarded to the user whose it is now: the vectors of
    former and present owners come from different partitions, and without this the former's
    could stay the last.
    """

    via: Via
    platform: str
    local_id: str
    source_ms: int


class Consent(msgspec.Struct, array_like=True, tag="c", frozen=True, gc=False):
    """What a user allows from here on in the log; it takes the place of what was said before.

    Attributes:
        allow: True where ``pairs`` are all that is allowed, False where they are all that is
            denied.
        pairs: (source, target) platforms; ``"*"`` stands for any.
    """

    via: Via
    allow: bool
    pairs: tuple[tuple[str, str], ...]
    source_ms: int


class Erase(msgspec.Struct, array_like=True, tag="x", frozen=True, gc=False):
    """Nothing of whoever has this key may remain; the mark of it stays under the key.

    Travels under a user's key, or under a local id's (then it means whoever has that id).

    Attributes:
        at_ms: nothing that happened up to this time may count, whenever it is read.
        refuse: nothing that happens later may count either.
        lifted: the mark itself goes: the id is as one that was never seen.
    """

    via: Via
    at_ms: int
    refuse: bool
    lifted: bool
    source_ms: int


class Forget(msgspec.Struct, array_like=True, tag="f", frozen=True, gc=False):
    """A local id belonged to a user who is erased, and is nobody's from here on.

    Written by the owner of the erased user's key, to the local id's key. It concerns the
    local id only while it still belongs to that user.
    """

    via: Via
    platform: str
    local_id: str
    user: str
    at_ms: int
    refuse: bool
    source_ms: int


LogRecord = Event | Link | Adopt | Release | Announce | Consent | Erase | Forget

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
