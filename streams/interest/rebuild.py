"""Going back: replaying a user's window from its base or from nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.interest.catalogue import Catalogue
from streams.interest.consent import after
from streams.interest.slab import NEVER, Slab
from streams.interest.state import ACTION_BITS, FORM, entry_items, entry_times, ring_entries
from streams.interest.steps import Steps
from streams.interest.window import Admission, History, admit


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
) -> Steps:
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
    return Steps(
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


def history_of(slab: Slab, row: int) -> History:
    """What :func:`streams.interest.window.admit` has to know of a row."""
    base_ms, newest = int(slab.rows["base_ms"][row]), int(slab.newest_ms[row])
    entries = ring_entries(slab.layout, slab.rows[row])
    return History(
        times=entry_times(entries, base_ms).tolist(),
        events=entries["event"].tolist(),
        since_base=int(slab.rows["since_base"][row]),
        base_ms=None if base_is_beginning(slab, row) else base_ms,
        newest_ms=None if newest == NEVER else newest,
    )


def place_arrivals(
    slab: Slab, catalogue: Catalogue, arrivals: Steps, horizon_ms: int
) -> tuple[Steps, Admission]:
    """One user's new events where some are late or repeated, as steps in time order.

    Rewinds the row where an accepted event lies before another one.

    Returns:
        The steps to take from the row's state as it is now, and what was kept out.
    """
    row = int(arrivals.row[0])
    admission = admit(
        history_of(slab, row),
        arrivals.time_ms.tolist(),
        arrivals.event.tolist(),
        horizon_ms=horizon_ms,
        window=slab.layout.window,
    )
    since_base = int(slab.rows["since_base"][row])
    order = np.array(admission.order, np.int64)
    if not admission.rewind:
        return arrivals.take(order - since_base), admission
    near = int(slab.rows["base_ms"][row])
    replay = replay_steps(catalogue, row, entries_after_base(slab, row), near, counted=False)
    rewind_to_base(slab, row)
    return Steps.concat([replay, arrivals]).take(order), admission


def rebuild_from_window(slab: Slab, catalogue: Catalogue, row: int) -> Steps:
    """Steps that compute a state again from its whole window (another bundle)."""
    return rebuild_from_windows(slab, catalogue, np.array([row]))


def rebuild_from_windows(slab: Slab, catalogue: Catalogue, rows: NDArray[np.int64]) -> Steps:
    """Steps that compute the states of several rows [u] again, user by user, oldest first."""
    length = slab.rows["length"][rows].astype(np.int64)
    groups = np.repeat(np.arange(len(rows)), length)
    of = rows[groups]
    rank = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length)
    slot = (slab.rows["head"][of] + rank) % slab.layout.window
    entries, near = slab.rows["ring"][of, slot], slab.rows["base_ms"][of]
    steps = replay_steps(catalogue, of, entries, near, counted=False)
    _rewind_to_nothing(slab, rows)
    return steps


def cut_history(slab: Slab, catalogue: Catalogue, row: int, after_ms: int) -> Steps:
    """Steps that make a history what it is without everything up to a time.

    Where all of it is known to be later, it stays as it is; otherwise it begins anew with
    those of its window's events that are.
    """
    near = int(slab.rows["base_ms"][row])
    entries = ring_entries(slab.layout, slab.rows[row])
    later = after(entries, after_ms, near)
    if is_complete(slab, row) and len(later) == len(entries):
        return Steps.empty()
    steps = replay_steps(catalogue, row, later, near, counted=True)
    slab.empty(row)
    return steps


def merge_histories(slab: Slab, catalogue: Catalogue, row: int, guest: int) -> tuple[Steps, int]:
    """Steps that make ``row``'s history and ``guest``'s one history in time order.

    Exact where the guest's window holds all of its events and none is older than the row's
    base, or one of the two has no events at all. Otherwise the longer history keeps its
    base and the other's entries before that base are kept out.

    Returns:
        The steps to take from the row's state as it is now, and how many events of the
        shorter history couldn't be placed.
    """
    if events_behind(slab, guest) == 0:
        return Steps.empty(), 0
    if events_behind(slab, row) == 0:
        _move_history(slab, guest, row)
        return Steps.empty(), 0
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
    steps = Steps.concat([own, guests])
    order = np.argsort(steps.time_ms, kind="stable")
    return steps.take(order), total - int((fits & ~known).sum()) - int(known.sum())


def _whole_window(slab: Slab, catalogue: Catalogue, as_row: int, of: int) -> Steps:
    near = int(slab.rows["base_ms"][of])
    entries = ring_entries(slab.layout, slab.rows[of])
    return replay_steps(catalogue, as_row, entries, near, counted=True)


def _rewind_for_merge(slab: Slab, catalogue: Catalogue, row: int) -> Steps:
    """Rewind as far as the ring allows; the steps that lead back to now."""
    if is_complete(slab, row):
        return rebuild_from_window(slab, catalogue, row)
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
