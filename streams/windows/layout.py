"""One user's row: which byte means what, in the slab, in the store and in the changelog.

Packed and little-endian, the same everywhere, so that storing is copying bytes:

    header   form (version and number of snapshots), P, W, S/8, head, length, since_base,
             since_mid (u8 each); bundle (u32), base_ms (i64), applied (i64), counts (u32 × P)
    current  interest state after the newest event               float16 × S
    middle   snapshot since_mid events ago                       float16 × S
    base     snapshot since_base events ago, at time base_ms     float16 × S
    ring     the last W events: time and item hash (40 bits), event hash (32 bits), platform
             and action (8 bits): 15 bytes each, circular, oldest at ``head``

The two snapshots make a late event exact at any length of history: the state is recomputed
from ``base`` over the at most W events after it. They cost no model step: they are copies of
the current state, taken every W/2 events.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS

VERSION: Final = 1
FORM: Final = VERSION << 4
"""First byte of a state without snapshots; with n snapshots it is ``FORM + n``."""
SNAPSHOTS: Final = 2
"""Snapshots that a row has room for."""
HEADER_BYTES: Final = 28
"""Of the header before the counts."""
NOT_FINITE: Final = 0x7C00
"""float16's exponent where a number is none."""
BIG: Final = 1 << 62
"""Beyond every time and offset."""
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
