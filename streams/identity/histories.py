"""Histories that are cut (an erasure) or become one (a link)."""

from __future__ import annotations

from typing import Final

import numpy as np

from streams.bundles.catalogue import Catalogue
from streams.inference.state_updater import StateUpdater
from streams.windows.layout import entry_times, ring_entries
from streams.windows.rewind import (
    entries_after_base,
    events_behind,
    is_complete,
    rebuild_from_windows,
    replay_steps,
    rewind_to_base,
)
from streams.windows.slab import Slab
from streams.windows.step_columns import StepColumns
from streams.windows.stored_tail import NOT_ERASED

GUEST: Final = "\0guest"
"""Slab key of a provisional user while its history is merged into another's."""


def merge_guest(
    state_updater: StateUpdater, row: int, value: bytes, after_ms: int = NOT_ERASED
) -> int:
    """Make a provisional user's history part of a user's.

    Args:
        state_updater: of the slab that has the user.
        row: the user.
        value: the provisional user's stored value.
        after_ms: only what happened later may count (the user was erased then).

    Returns:
        How many events couldn't be placed.
    """
    slab, catalogue = state_updater.slab, state_updater.catalogue
    guest = slab.insert(GUEST, -1, value)
    state_updater.renew(np.array([guest]))
    if after_ms != NOT_ERASED:
        state_updater.advance(cut_history(slab, catalogue, guest, after_ms), merged=True)
    steps, lost = merge_histories(slab, catalogue, row, guest)
    slab.remove(GUEST)
    state_updater.changed.discard(guest)
    state_updater.advance(steps, merged=True)
    return lost


def cut_history(slab: Slab, catalogue: Catalogue, row: int, after_ms: int) -> StepColumns:
    """Steps that make a history what it is without everything up to a time.

    Where all of it is known to be later, it stays as it is; otherwise it begins anew with
    those of its window's events that are.
    """
    near = int(slab.rows["base_ms"][row])
    entries = ring_entries(slab.layout, slab.rows[row])
    later = entries[entry_times(entries, near) > after_ms]
    if is_complete(slab, row) and len(later) == len(entries):
        return StepColumns.empty()
    steps = replay_steps(catalogue, row, later, near, counted=True)
    slab.empty(row)
    return steps


def merge_histories(
    slab: Slab, catalogue: Catalogue, row: int, guest: int
) -> tuple[StepColumns, int]:
    """Steps that make ``row``'s history and ``guest``'s one history in time order.

    Exact where the guest's window holds all of its events and none is older than the row's
    base, or one of the two has no events at all. Otherwise the longer history keeps its
    base and the other's entries before that base are kept out.

    Returns:
        The steps to take from the row's state as it is now, and how many events of the
        shorter history couldn't be placed.
    """
    if events_behind(slab, guest) == 0:
        return StepColumns.empty(), 0
    if events_behind(slab, row) == 0:
        _move_history(slab, guest, row)
        return StepColumns.empty(), 0
    shorter = row if is_complete(slab, row) and not is_complete(slab, guest) else guest
    total = events_behind(slab, shorter)
    guests = _whole_window(slab, catalogue, row, shorter)
    if shorter == row:
        _move_history(slab, guest, row)
    own = _rewind_for_merge(slab, catalogue, row)
    floor = int(slab.newest_ms[row])
    fits = guests.time_ms >= floor
    known = np.isin(guests.event, own.event)
    guests = guests.take(fits & ~known)
    steps = StepColumns.concat([own, guests])
    order = np.argsort(steps.time_ms, kind="stable")
    return steps.take(order), total - int((fits & ~known).sum()) - int(known.sum())


def _whole_window(slab: Slab, catalogue: Catalogue, as_row: int, of: int) -> StepColumns:
    near = int(slab.rows["base_ms"][of])
    entries = ring_entries(slab.layout, slab.rows[of])
    return replay_steps(catalogue, as_row, entries, near, counted=True)


def _rewind_for_merge(slab: Slab, catalogue: Catalogue, row: int) -> StepColumns:
    """Rewind as far as the ring allows; the steps that lead back to now."""
    if is_complete(slab, row):
        return rebuild_from_windows(slab, catalogue, np.array([row]))
    near = int(slab.rows["base_ms"][row])
    entries = entries_after_base(slab, row)
    steps = replay_steps(catalogue, row, entries, near, counted=False)
    rewind_to_base(slab, row)
    return steps


def _move_history(slab: Slab, source: int, target: int) -> None:
    applied = slab.rows["applied"][target]
    slab.rows[target] = slab.rows[source]
    slab.rows["applied"][target] = applied
    slab.newest_ms[target] = slab.newest_ms[source]
