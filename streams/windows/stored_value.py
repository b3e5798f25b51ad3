"""The stored value of one user: bytes in the changelog, in the store, and in memory.

One packed little-endian row per user, the same in the slab (``streams.windows.slab``) as on
disk, so that storing is copying bytes:

    header   form (version and number of snapshots), P, W, S/8, head, length, since_base,
             since_mid (u8 each); bundle (u32), base_ms (i64), applied (i64), counts (u32 × P)
    current  interest state after the newest event               float16 × S
    middle   snapshot since_mid events ago                       float16 × S
    base     snapshot since_base events ago, at time base_ms     float16 × S
    ring     the last W events: time and item hash (40 bits), event hash (32 bits), platform
             and action (8 bits): 15 bytes each, circular, oldest at ``head``

The two snapshots make a late event exact at any length of history: the state is recomputed
from ``base`` over the at most W events after it. They cost no model step: they are copies of
the current state, taken every W/2 events. A value is stored without what is empty: snapshots
that are still zero, slots never used. A tail lists the user's local ids on linked
platforms, and what the user has asked for (:class:`Privacy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.errors import DamagedError, StateError

VERSION: Final = 1
FORM: Final = VERSION << 4
"""First byte of a state without snapshots; with n snapshots it is ``FORM + n``."""
SNAPSHOTS: Final = 2
"""Snapshots that a row has room for."""
POINTER: Final = 1
"""First byte of a pointer from a local id to a user."""
RECOVER: Final = "delete the local store, so that it is recovered from the changelog"
VERSIONS_AHEAD: Final = 3
"""Versions that a worker takes for a newer service's; anything else is damage."""
HEADER_BYTES: Final = 28
"""Of the header before the counts."""
NOT_FINITE: Final = 0x7C00
"""float16's exponent where a number is none."""
BIG: Final = 1 << 62
"""Beyond every time and offset."""
MAX_PLATFORMS: Final = 32
ACTION_BITS: Final = 3
"""Bits of a ring entry's ``kind`` that hold the action; the platform has the rest."""
TIME_BITS: Final = 40
TIME_MASK: Final = (1 << TIME_BITS) - 1

ENTRY: Final = np.dtype(
    [
        ("time_low", "<u4"),
        ("item_low", "<u4"),
        ("event", "<u4"),
        ("time_high", "u1"),
        ("item_high", "u1"),
        ("kind", "u1"),
    ]
)

LocalId = tuple[str, str]
"""(platform, local id)"""

NOT_ERASED: Final = -1
EVERY_SOURCE: Final = -1
"""A set of sources, as bits by platform index, that holds them all."""


class Privacy(msgspec.Struct, array_like=True):
    """What a user has asked for; nearly all users have none of it.

    Attributes:
        allow: see :class:`streams.log.records.Consent`.
        pairs: the same.
        kept: sources whose events the user's own row holds, as bits by platform index.
        views: further rows, one for each other set of sources that some target may use:
            (set, stored value without a tail; empty where the row is).
        erased_ms: events up to this time don't count (``NOT_ERASED``: never erased).
        refuse: no events count at all any more.
    """

    allow: bool = False
    pairs: tuple[tuple[str, str], ...] = ()
    kept: int = EVERY_SOURCE
    views: tuple[tuple[int, bytes], ...] = ()
    erased_ms: int = NOT_ERASED
    refuse: bool = False

    @property
    def needless(self) -> bool:
        """Whether a user like this is like everybody else."""
        return not (self.allow or self.pairs or self.views or self.refuse or self.erased_ms >= 0)


class Tail(msgspec.Struct):
    """What follows a row in a stored value, where it isn't a plain list of local ids."""

    local_ids: list[LocalId] = []
    privacy: Privacy | None = None


_tail_encoder = msgspec.msgpack.Encoder()
_tail_decoder = msgspec.msgpack.Decoder(list[LocalId] | Tail)


@dataclass(frozen=True)
class Layout:
    """Byte layout of a row.

    Attributes:
        platforms: P, number of platforms in the bundle's contract.
        state_size: S, float16 values of one interest state (a multiple of 8, at most 2,040).
        window: W, events kept (even, 2 to 250).
    """

    platforms: int
    state_size: int
    window: int

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Packed structured dtype of a row."""
        state = ("<f2", (self.state_size,))
        return np.dtype(
            [
                ("form", "u1"),
                ("platforms", "u1"),
                ("window", "u1"),
                ("octets", "u1"),
                ("head", "u1"),
                ("length", "u1"),
                ("since_base", "u1"),
                ("since_mid", "u1"),
                ("bundle", "<u4"),
                ("base_ms", "<i8"),
                ("applied", "<i8"),
                ("counts", "<u4", (self.platforms,)),
                ("current", *state),
                ("middle", *state),
                ("base", *state),
                ("ring", ENTRY, (self.window,)),
            ]
        )

    @cached_property
    def header_bytes(self) -> int:
        """Bytes before the states."""
        return HEADER_BYTES + 4 * self.platforms

    @cached_property
    def state_bytes(self) -> int:
        """Bytes of one interest state."""
        return 2 * self.state_size

    def empty_row(self, bundle: int) -> NDArray[Any]:
        """A row of a user about whom nothing is known; shape (), ``dtype``."""
        row = np.zeros((), self.dtype)
        row["form"], row["octets"] = FORM, self.state_size // 8
        row["platforms"], row["window"] = self.platforms, self.window
        row["bundle"], row["applied"] = bundle, -1
        return row


def encode_row(layout: Layout, raw: memoryview, tail: bytes = b"") -> bytes:
    """The stored value of a row.

    Args:
        layout: layout of the row.
        raw: the row's bytes (``layout.dtype.itemsize`` of them).
        tail: from :func:`encode_local_ids`.
    """
    snapshots, head, length = raw[0] - FORM, raw[4], raw[5]
    size, start = layout.state_bytes, layout.header_bytes
    ring = start + 3 * size
    end = ring + ENTRY.itemsize * (length if head == 0 else layout.window)
    if snapshots == 2 and not tail:
        return bytes(raw[:end])
    states = (1 + snapshots) * size
    return b"".join((raw[: start + states], raw[ring:end], tail))


def decode_row(layout: Layout, value: bytes) -> tuple[NDArray[Any], list[LocalId]]:
    """Row and local ids of a stored value; see :func:`decode_value`."""
    row, tail = decode_value(layout, value)
    return row, tail.local_ids


def decode_value(layout: Layout, value: bytes) -> tuple[NDArray[Any], Tail]:
    """Row and tail of a stored value.

    Values of another window or with fewer platforms are converted; a state of another size
    is dropped and its bundle tag cleared, so that it is rebuilt from the window.

    Raises:
        DamagedError: the bytes contradict themselves.
        StateError: the bytes aren't a user state that this version can read.
    """
    version = value[0] >> 4 if value else 0
    if len(value) < HEADER_BYTES or not VERSION <= version <= VERSION + VERSIONS_AHEAD:
        raise DamagedError(
            f"stored value has {len(value)} bytes and begins with {value[:1]!r}, which no version "
            f"of a state does; {RECOVER}"
        )
    if version != VERSION:
        raise StateError(
            f"stored value has version {version}, this version of the service reads {VERSION}: "
            "run the version that wrote it, or rebuild the table from the log"
        )
    if value[1] > MAX_PLATFORMS:
        raise DamagedError(f"stored value has {value[1]} platforms, nobody has; {RECOVER}")
    source = Layout(value[1], 8 * value[3], value[2])
    row, end = _unpack(source, value)
    if source != layout:
        row = _convert(source, layout, row)
    if not finite(row):
        # It would make every later state and every vector like it: asks for a rebuild.
        row["bundle"] = 0
    return row, decode_tail(layout, value[end:])


def decode_tail(layout: Layout, tail: bytes) -> Tail:
    """What follows a row in a stored value; an empty one where nothing does.

    Raises:
        DamagedError: the bytes aren't a tail.
    """
    try:
        known = _tail_decoder.decode(tail) if tail else Tail()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedError(
            f"stored value has a damaged tail of {len(tail)} bytes: {error}; {RECOVER}"
        ) from error
    whole = known if isinstance(known, Tail) else Tail(known)
    if whole.privacy is not None:
        _check_privacy(layout, whole.privacy)
    return whole


def _check_privacy(layout: Layout, privacy: Privacy) -> None:
    """Views are states, and numbers are such as were written."""
    sets = [privacy.kept, *(sources for sources, _ in privacy.views)]
    in_range = all(EVERY_SOURCE <= bits < 1 << MAX_PLATFORMS for bits in sets)
    if not in_range or not NOT_ERASED <= privacy.erased_ms < 1 << 62:
        raise DamagedError(f"stored value has wishes that nobody can have; {RECOVER}")
    for _, value in privacy.views:
        if value and decode_value(layout, value)[1].privacy is not None:
            raise DamagedError(f"stored value has views within a view; {RECOVER}")


def bundle_of(value: bytes) -> int | None:
    """Tag of the bundle that made a stored state; None for a pointer, or what is no state."""
    if len(value) < 28 or value[0] >> 4 != VERSION:
        return None
    return int.from_bytes(value[8:12], "little")


def _unpack(layout: Layout, value: bytes) -> tuple[NDArray[Any], int]:
    snapshots, head, length = value[0] - FORM, value[4], value[5]
    size, start = layout.state_bytes, layout.header_bytes
    slots = length if head == 0 else layout.window
    states = start + (1 + snapshots) * size
    end = states + ENTRY.itemsize * slots
    consistent = value[7] <= value[6] <= length <= layout.window and head < max(1, layout.window)
    if end > len(value) or snapshots > 2 or not consistent:
        raise DamagedError(
            f"stored value has {len(value)} bytes and the header {value[:8].hex()}, which "
            f"describes {end}: it is damaged; {RECOVER}"
        )
    buffer = bytearray(layout.dtype.itemsize)
    buffer[:states] = value[:states]
    ring = start + 3 * size
    buffer[ring : ring + end - states] = value[states:end]
    row = np.frombuffer(buffer, layout.dtype)[0]
    if not possible(layout, row):
        raise DamagedError(f"stored value has entries that nobody can have written; {RECOVER}")
    return row, end


def possible(layout: Layout, rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all entries are of a platform and action, and numbers within bounds; bool [...]."""
    kinds = rows["ring"]["kind"]
    actions = kinds & ((1 << ACTION_BITS) - 1)
    base_ms, applied = rows["base_ms"], rows["applied"]
    return (
        (kinds >> ACTION_BITS < max(layout.platforms, 1)).all(axis=-1)
        & (actions < len(ACTIONS)).all(axis=-1)
        & ((base_ms > -BIG) & (base_ms < BIG))
        & ((applied >= -1) & (applied < BIG))
    )


def finite(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all interest states are numbers; bool [...]."""
    current, middle, base = (
        ((rows[name].view(np.uint16) & NOT_FINITE) != NOT_FINITE).all(axis=-1)
        for name in ("current", "middle", "base")
    )
    found: NDArray[np.bool_] = current & middle & base
    return found


def _convert(source: Layout, target: Layout, row: NDArray[Any]) -> NDArray[Any]:
    if source.platforms > target.platforms:
        raise StateError(
            f"stored value knows {source.platforms} platforms, the bundle {target.platforms}; "
            "platforms may be added to a bundle, not taken away"
        )
    same_states = (source.state_size, source.window) == (target.state_size, target.window)
    # Snapshots are spaced by the window: with another one, bundle 0 asks for a rebuild.
    out = target.empty_row(int(row["bundle"]) if same_states else 0)
    out["counts"][: source.platforms] = row["counts"]
    out["applied"], out["base_ms"] = row["applied"], row["base_ms"]
    if same_states:
        for name in ("form", "since_base", "since_mid", "current", "middle", "base"):
            out[name] = row[name]
    entries = ring_entries(source, row)[-target.window :]
    out["length"] = len(entries)
    out["ring"][: len(entries)] = entries
    return out


def ring_entries(layout: Layout, row: NDArray[Any]) -> NDArray[Any]:
    """The row's window entries, oldest first; shape [length], dtype ``ENTRY``."""
    slots = (int(row["head"]) + np.arange(int(row["length"]))) % layout.window
    entries: NDArray[Any] = row["ring"][slots]
    return entries


def entry_times(entries: NDArray[Any], near_ms: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Event times of ring entries in ms; ``near_ms`` is any time within 17 years of them.

    Only 40 bits of a time are stored; the rest is taken from ``near_ms``.
    """
    low = entries["time_low"].astype(np.int64) | (entries["time_high"].astype(np.int64) << 32)
    half = 1 << (TIME_BITS - 1)
    return near_ms + ((low - near_ms + half) & TIME_MASK) - half


def entry_items(entries: NDArray[Any]) -> NDArray[np.int64]:
    """40-bit item hashes of ring entries."""
    low = entries["item_low"].astype(np.int64)
    return low | (entries["item_high"].astype(np.int64) << 32)


def encode_local_ids(local_ids: Sequence[LocalId]) -> bytes:
    """Tail of a stored value: the local ids that belong to the user."""
    return _tail_encoder.encode(list(local_ids)) if local_ids else b""


def encode_tail(local_ids: Sequence[LocalId], privacy: Privacy | None) -> bytes:
    """Tail of a stored value; without ``privacy`` that of :func:`encode_local_ids`."""
    if privacy is None:
        return encode_local_ids(local_ids)
    return _tail_encoder.encode(Tail(list(local_ids), privacy))


def encode_pointer(user: str) -> bytes:
    """Stored value of a local id that belongs to ``user``."""
    return bytes((POINTER,)) + user.encode()


def decode_pointer(value: bytes) -> str | None:
    """The user of a pointer; None where the value is a state.

    Raises:
        DamagedError: a pointer's user isn't UTF-8.
    """
    if value[:1] != bytes((POINTER,)):
        return None
    try:
        return value[1:].decode()
    except UnicodeDecodeError as error:
        raise DamagedError(
            f"a stored pointer of {len(value)} bytes is damaged: it isn't UTF-8; {RECOVER}"
        ) from error
