"""The stored value of one user, as it lies in the changelog and in the local store.

It is the user's row (:mod:`streams.windows.layout`) without what is empty: snapshots that don't
exist yet, slots never used; then the tail (:mod:`streams.windows.stored_tail`), where there is one.
Under a linked local id's key lies a pointer instead.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import DamagedError, StateError
from streams.windows.layout import (
    ENTRY,
    FORM,
    HEADER_BYTES,
    VERSION,
    Layout,
    finite,
    possible,
    ring_entries,
)
from streams.windows.stored_tail import (
    EVERY_SOURCE,
    NOT_ERASED,
    Privacy,
    Tail,
    tail_decoder,
)

POINTER: Final = 1
"""First byte of a pointer from a local id to a user."""
RECOVER: Final = "delete the local store, so that it is recovered from the changelog"
VERSIONS_AHEAD: Final = 3
"""Versions that a worker takes for a newer service's; anything else is damage."""
MAX_PLATFORMS: Final = 32


def encode_row(layout: Layout, raw: memoryview, tail: bytes = b"") -> bytes:
    """The stored value of a row.

    Args:
        layout: layout of the row.
        raw: the row's bytes (``layout.dtype.itemsize`` of them).
        tail: from :func:`streams.windows.stored_tail.encode_tail`.
    """
    snapshots, head, length = raw[0] - FORM, raw[4], raw[5]
    size, start = layout.state_bytes, layout.header_bytes
    ring = start + 3 * size
    end = ring + ENTRY.itemsize * (length if head == 0 else layout.window)
    if snapshots == 2 and not tail:
        return bytes(raw[:end])
    states = (1 + snapshots) * size
    return b"".join((raw[: start + states], raw[ring:end], tail))


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
        known = tail_decoder.decode(tail) if tail else Tail()
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
    if len(value) < HEADER_BYTES or value[0] >> 4 != VERSION:
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
