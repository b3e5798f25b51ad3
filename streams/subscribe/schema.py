"""What a subscriber receives: one schema, in MessagePack or JSON.

A record of a vector topic has the key ``id`` (``target/id`` on a topic that several targets
share), a value made from :class:`InterestUpdate`, and two headers: ``content-type`` says the
encoding, ``schema`` the version. An empty value withdraws the key (:class:`Tombstone`).
The contract in words is ``docs/contract.md``.

This module needs msgspec and numpy only: subscribers import it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import RecordError

Encoding = Literal["msgpack", "json"]
Headers = Sequence[tuple[str, bytes]]

SCHEMA: Final = "interest-update/1"
SCHEMA_HEADER: Final = "schema"
TYPE_HEADER: Final = "content-type"
TARGET_HEADER: Final = "target"
ID_HEADER: Final = "id"
CONTENT_TYPES: Final[dict[Encoding, str]] = {
    "msgpack": "application/x-msgpack",
    "json": "application/json",
}
DEFAULT_TOPIC: Final = "interest.vectors.{target}"

_Id = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class InterestUpdate(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A user's interest, as one target platform's recommender scores its items.

    Attributes:
        id: the id under which the target knows the user; the record's key.
        target: platform whose items the vector scores.
        user: canonical user id, or ``id`` again while no link is known.
        as_of_ms: time of the newest event behind the vector, milliseconds since 1970 UTC.
        bundle: id of the bundle that made it; score with the item vectors of the same one.
        events: number of events behind it.
        sources: share of each source platform in it, to 4 decimals; platforms without a
            share are left out.
        vector: float32 [V]; score of an item = dot product with its output vector. On the
            wire it is float16, so it holds 11 significant bits.
        published_ms: when the worker sent it.
        event_ts_ms: Kafka timestamp of the newest source record behind it;
            ``published_ms - event_ts_ms`` is the worker's latency.
        labels: the user's likeliest labels on the target with their shares, which sum to one
            (``other`` is the rest); left out unless ``output.labels`` asks for them.
    """

    id: _Id
    target: _Id
    user: str
    as_of_ms: int
    bundle: str
    events: _Count
    sources: dict[str, _Share]
    vector: NDArray[np.float32]
    published_ms: int
    event_ts_ms: int
    labels: dict[str, _Share] | msgspec.UnsetType = msgspec.UNSET


class Tombstone(msgspec.Struct, frozen=True):
    """The target no longer knows this id: forget its vector.

    Attributes:
        id: as in :class:`InterestUpdate`.
        target: as in :class:`InterestUpdate`.
    """

    id: str
    target: str


def topic_name(template: str, target: str) -> str:
    """Topic of a target's vectors; a template without ``{target}`` is shared by all."""
    return template.replace("{target}", target)


def is_shared(template: str) -> bool:
    """Whether all targets publish on the one topic that ``template`` names."""
    return "{target}" not in template


def headers(encoding: Encoding) -> list[tuple[str, bytes]]:
    """Kafka headers of an update."""
    return [(TYPE_HEADER, CONTENT_TYPES[encoding].encode()), (SCHEMA_HEADER, SCHEMA.encode())]


def tombstone_headers(target: str, id: str) -> list[tuple[str, bytes]]:
    """Kafka headers of a tombstone; they say what an empty value can't."""
    return [
        (SCHEMA_HEADER, SCHEMA.encode()),
        (TARGET_HEADER, target.encode()),
        (ID_HEADER, id.encode()),
    ]


def record_key(target: str, id: str, *, shared: bool) -> bytes:
    """Key of a record; on a shared topic the target is part of it.

    Without it, compaction would keep one target's vector of the two that know their own,
    different users under the same local id.
    """
    return f"{target}/{id}".encode() if shared else id.encode()


def check_headers(raw: Iterable[tuple[str, bytes]], value: bytes) -> Encoding:
    """Encoding of a record, after checking its schema version.

    A missing ``content-type`` is told from the first byte (tools that copy topics lose
    headers); a missing ``schema`` counts as the current one.

    Raises:
        RecordError: the version or the content type is unknown.
    """
    named = dict(raw)
    schema = named.get(SCHEMA_HEADER, SCHEMA.encode()).decode("utf-8", "replace")
    if schema != SCHEMA:
        remedy = f"this version reads {SCHEMA!r}: upgrade interest-stream in the subscriber"
        raise RecordError("unknown_schema", SCHEMA_HEADER, schema, remedy)
    if TYPE_HEADER not in named:
        return "json" if value[:1] == b"{" else "msgpack"
    given = named[TYPE_HEADER].decode("utf-8", "replace")
    for encoding, content_type in CONTENT_TYPES.items():
        if given == content_type:
            return encoding
    remedy = f"use one of {', '.join(CONTENT_TYPES.values())}"
    raise RecordError("unknown_encoding", TYPE_HEADER, given, remedy)


def decode(value: bytes, headers: Iterable[tuple[str, bytes]] = ()) -> InterestUpdate:
    """An update from a record's value and Kafka headers.

    Raises:
        RecordError: unknown version or encoding, a field that is missing or wrong, or a
            vector that is empty or not finite.
    """
    encoding = check_headers(headers, value)
    try:
        return _DECODERS[encoding].decode(value)
    except msgspec.ValidationError as error:
        found = re.search(r" - at `\$\.?([^`]*)`$", str(error))
        field = found.group(1) if found else ""
        remedy = "docs/contract.md has the fields"
        raise RecordError("invalid_update", field, error, remedy) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        remedy = f"the header says {CONTENT_TYPES[encoding]}; here is why it isn't: {error}"
        raise RecordError("undecodable", "", value[:40], remedy) from error


def _vector(_type: Any, raw: Any) -> NDArray[np.float32]:
    """Float32 [V] from float16 little-endian bytes (MessagePack) or a list (JSON).

    Raises:
        ValueError: not a vector of finite numbers; msgspec adds the field's name.
    """
    if isinstance(raw, bytes):
        vector = np.frombuffer(raw, "<f2").astype(np.float32)
    elif isinstance(raw, list):
        with np.errstate(over="ignore"):
            vector = np.array(raw, np.float16).astype(np.float32)
    else:
        raise ValueError(f"Expected float16 bytes or a list of numbers, got {type(raw).__name__}")
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise ValueError(f"Expected finite numbers in one row, got {vector[:4]!r}")
    return vector


_DECODERS: Final[
    dict[Encoding, msgspec.msgpack.Decoder[InterestUpdate] | msgspec.json.Decoder[InterestUpdate]]
] = {
    "msgpack": msgspec.msgpack.Decoder(InterestUpdate, dec_hook=_vector),
    "json": msgspec.json.Decoder(InterestUpdate, dec_hook=_vector),
}
