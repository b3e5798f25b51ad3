"""Going back: replaying a user's window from its base or from nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.windows.layout import ACTION_BITS, FORM, entry_items, entry_times, ring_entries
from streams.windows.slab import NEVER, Slab
from streams.windows.step_columns import StepColumns


def events_behind(slab: Slab, row: int) -> int:
    """Number of events that a user's state has seen."""
    return int(slab.rows["counts"][row].sum())


def base_is_beginning(slab: Slab, row: int) -> bool:
    """Whether the base of a row is the state before the user's first event."""
    return int(slab.rows["since_base"][row]) == events_behind(slab, row)


def is_complete(slab: Slab, row: int) -> bool:
    """Whether the ring holds every event that the state has seen."""
    return int(slab.rows["length"][row]) == events_behind(slab, row)


def replay_steps(
    catalogue: Catalogue,
    row: int | NDArray[np.int64],
    entries: NDArray[Any],
    near_ms: int | NDArray[np.int64],
    *,
    counted: bool,
) -> StepColumns:
    """Steps that apply window entries again (``counted``: as new events of this row).

    Rows and reference times are one for all entries, or one each.
    """
    n = len(entries)
    kind = entries["kind"].astype(np.int64)
    platform, hashes = kind >> ACTION_BITS, entry_items(entries)
    item = np.array(
        [
            catalogue.items[p].index_of_hash(h)
            for p, h in zip(platform.tolist(), hashes.tolist(), strict=True)
        ],
        np.int64,
    )
    return StepColumns(
        row=np.broadcast_to(np.asarray(row, np.int64), n),
        time_ms=entry_times(entries, near_ms),
        platform=platform,
        action=kind & ((1 << ACTION_BITS) - 1),
        item=item,
        hash40=hashes,
        event=entries["event"].astype(np.int64),
        counted=np.full(n, counted, np.bool_),
    )


def entries_after_base(slab: Slab, row: int) -> NDArray[Any]:
    """Window entries that the base hasn't seen, oldest first."""
    entries = ring_entries(slab.layout, slab.rows[row])
    return entries[len(entries) - int(slab.rows["since_base"][row]) :]


def rewind_to_base(slab: Slab, row: int) -> None:
    """Make the base the current state, and the window what lies before it."""
    rows = slab.rows
    beginning = base_is_beginning(slab, row)
    since = int(rows["since_base"][row])
    _forget_newest(slab, row, since)
    rows["current"][row] = rows["middle"][row] = rows["base"][row]
    rows["since_base"][row] = rows["since_mid"][row] = 0
    rows["form"][row] = FORM if beginning else FORM + 2
    slab.newest_ms[row] = NEVER if beginning else rows["base_ms"][row]


def _rewind_to_nothing(slab: Slab, of: NDArray[np.int64]) -> None:
    """Make the states those of users without events; the counts stay."""
    rows = slab.rows
    rows["ring"]["event"][of] = 0  # a free slot holds no event hash
    for name in ("head", "length", "current", "middle", "base", "since_base", "since_mid"):
        rows[name][of] = 0
    rows["form"][of], rows["bundle"][of] = FORM, slab.bundle
    slab.newest_ms[of] = NEVER


def _forget_newest(slab: Slab, row: int, count: int) -> None:
    """Take the newest ``count`` entries out of the ring; a free slot holds no event hash."""
    rows, window = slab.rows, slab.layout.window
    length = int(rows["length"][row]) - count
    slots = (int(rows["head"][row]) + length + np.arange(count)) % window
    rows["ring"]["event"][row, slots] = 0
    rows["length"][row] = length
    if length == 0:
        rows["head"][row] = 0


def rebuild_from_windows(slab: Slab, catalogue: Catalogue, rows: NDArray[np.int64]) -> StepColumns:
    """Steps that compute the states of rows [u] again from their whole windows.

    The steps lie user by user, the oldest first.
    """
    length = slab.rows["length"][rows].astype(np.int64)
    groups = np.repeat(np.arange(len(rows)), length)
    of = rows[groups]
    rank = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length)
    slot = (slab.rows["head"][of] + rank) % slab.layout.window
    entries, near = slab.rows["ring"][of, slot], slab.rows["base_ms"][of]
    steps = replay_steps(catalogue, of, entries, near, counted=False)
    _rewind_to_nothing(slab, rows)
    return steps
