"""The window's rules: what is a duplicate, what is too late, where an event goes.

Event time decides everything; the wall clock nothing. A user's history is ordered by event
time, ties by arrival. Let ``newest`` be the user's newest event time:

* an event whose hash is in the window, or came before in the batch, is a **duplicate**;
* an event at or after ``newest`` is **in order**: one step;
* an earlier one is **late**: it's accepted if it's at most the horizon older than ``newest``
  and not older than the base snapshot; then the state is recomputed from the base, with the
  event in its place (:func:`admit`); otherwise it's **kept out** and counted;
* an event more than the horizon after ``newest`` **resets** the window: the current state
  becomes the base and the ring starts anew.

Snapshots are taken when W/2 events have come since the last one, so the base is never more
than W events back, and everything after it is in the ring: a late event costs at most W
steps, an event in order always one.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.interest.slab import NEVER, Slab
from streams.interest.state import ACTION_BITS, FORM, entry_times
from streams.interest.steps import Groups, Steps

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

LOW_32, LOW_8 = (1 << 32) - 1, 0xFF
BIG = np.int64(1) << 44
"""More milliseconds than event times span; separates users in one running maximum."""


def duplicates(slab: Slab, steps: Steps) -> Bool:
    """Which steps repeat an event of the window or of the same batch; [n], arrival order."""
    n = len(steps)
    seen = (slab.rows["ring"]["event"][steps.row] == steps.event[:, None]).any(axis=1)
    identity = (steps.row << 32) | steps.event
    first = np.zeros(n, np.bool_)
    first[np.unique(identity, return_index=True)[1]] = True
    repeated: Bool = seen | ~first
    return repeated


def out_of_order(slab: Slab, steps: Steps, groups: Groups) -> Bool:
    """Which steps are earlier than something before them; [n], sorted by user, then arrival."""
    before = np.maximum(slab.newest_ms[steps.row], 0)
    lift = groups.of_step * BIG
    previous = np.empty(len(steps), np.int64)
    running = np.maximum.accumulate(np.maximum(steps.time_ms, before) + lift) - lift
    previous[1:] = running[:-1]
    previous[groups.start] = before[groups.start]
    late: Bool = steps.time_ms < previous
    return late


@dataclass(slots=True)
class Admission:
    """Who is let in of one user's new events.

    Attributes:
        accepted: [m] in arrival order.
        order: places of the accepted events and replayed entries in time order: ``k`` < r is
            the k-th replayed entry, ``r + i`` the i-th new event.
        rewind: the state must be recomputed from the base.
    """

    accepted: list[bool]
    order: list[int]
    rewind: bool


def admit(
    replayable: list[int],
    base_ms: int | None,
    newest_ms: int | None,
    arrivals: list[int],
    *,
    horizon_ms: int,
    window: int,
) -> Admission:
    """Decide one user's arrivals one by one, as if each had come alone.

    Args:
        replayable: times of the entries after the base, oldest first.
        base_ms: time of the base; None where the base is the beginning of everything.
        newest_ms: newest event time; None for a new user.
        arrivals: times of the new events in arrival order.
        horizon_ms: how old a late event may be.
        window: W.

    The base moves on while events arrive; what is older than it then is kept out, so the
    result doesn't depend on how arrivals were cut into batches.
    """
    times = list(replayable)
    places = list(range(len(times)))
    frozen: list[int] = []
    accepted = []
    rewind = False
    for number, time in enumerate(arrivals):
        place = len(replayable) + number
        if newest_ms is None or time >= newest_ms:
            if newest_ms is not None and time - newest_ms > horizon_ms:
                frozen += places
                times, places, base_ms = [], [], newest_ms
            newest_ms = time
            times.append(time)
            places.append(place)
        elif time >= newest_ms - horizon_ms and (base_ms is None or time >= base_ms):
            at = bisect_right(times, time)
            times.insert(at, time)
            places.insert(at, place)
            rewind = True
        else:
            accepted.append(False)
            continue
        accepted.append(True)
        if len(times) > window:
            half = window // 2
            base_ms = times[half - 1]
            frozen += places[:half]
            del times[:half], places[:half]
    return Admission(accepted, frozen + places, rewind)


@dataclass(slots=True)
class Plan:
    """Where each step of a batch goes; steps sorted by user, then time order.

    Attributes:
        dt: seconds since the user's previous event, float32 [n].
        reset: the window starts anew before this step [n].
        snapshot: snapshots are taken before this step [n].
        slot: ring slot [n].
        keep: the step's entry is in the window after the batch [n].
    """

    dt: NDArray[np.float32]
    reset: Bool
    snapshot: Bool
    slot: Int64
    keep: Bool
    base_ms: Int64
    head: Int64
    length: Int64
    since_base: Int64
    since_mid: Int64
    form: NDArray[np.uint8]


def plan(slab: Slab, steps: Steps, groups: Groups, horizon_ms: int) -> Plan:
    """Lay out a batch in closed form, without a loop over events.

    Args:
        steps: sorted by user, each user's in time order (``newest_ms`` first).
    """
    window = slab.layout.window
    half = window // 2
    users = steps.row[groups.start]
    rows = slab.rows
    head = rows["head"][users].astype(np.int64)
    length = rows["length"][users].astype(np.int64)
    since_base = rows["since_base"][users].astype(np.int64)
    since_mid = rows["since_mid"][users].astype(np.int64)
    base_ms = rows["base_ms"][users].astype(np.int64)
    newest = slab.newest_ms[users]
    last = groups.start + groups.size - 1

    previous = np.empty(len(steps), np.int64)
    previous[1:] = steps.time_ms[:-1]
    previous[groups.start] = np.where(newest == NEVER, steps.time_ms[groups.start], newest)
    gap = steps.time_ms - previous
    reset = gap > horizon_ms
    # A base without a past needs a time near the events, for the ring's 40-bit times.
    base_ms = np.where(newest == NEVER, steps.time_ms[groups.start], base_ms)

    # Place of each step since the last reset (or the beginning of the batch).
    mark = np.where(reset, np.arange(len(steps)), -1)
    mark[groups.start] = np.where(reset[groups.start], groups.start, -1)
    lifted = np.maximum.accumulate(mark + (groups.of_step + 1) * BIG) - (groups.of_step + 1) * BIG
    has_reset = lifted >= 0
    since_reset = np.where(has_reset, np.arange(len(steps)) - lifted, groups.rank)

    count = np.where(has_reset, 0, since_mid[groups.of_step]) + since_reset
    snapshot = (count > 0) & (count % half == 0)
    was_reset = has_reset[last]
    run = since_reset[last] + 1

    new_length = np.minimum(window, np.where(was_reset, 0, length) + run)
    origin = np.where(was_reset, 0, (head + length) % window)
    slot = (
        np.where(has_reset, 0, ((head + length) % window)[groups.of_step]) + since_reset
    ) % window
    in_last_run = lifted == lifted[last][groups.of_step]
    keep = in_last_run & (
        since_reset + new_length[groups.of_step] > since_reset[last][groups.of_step]
    )
    new_mid = count[last] % half + 1

    # Last snapshot of each user after its last reset.
    snap_at = np.where(snapshot & in_last_run, groups.rank, -1)
    last_snap = np.maximum.reduceat(snap_at, groups.start) if len(steps) else snap_at
    snapped = last_snap >= 0
    n_snaps = np.add.reduceat((snapshot & in_last_run).astype(np.int64), groups.start)
    new_base = np.where(snapped, new_mid + half, np.where(was_reset, run, since_base + run))

    base_ms = _base_times(
        slab, steps, groups, base_ms, last_snap, snapped, n_snaps, was_reset, previous, lifted[last]
    )
    form = rows["form"][users].astype(np.int64) - FORM
    form = np.where(was_reset, 2, np.minimum(2, form + n_snaps)) + FORM
    new_head = (origin + run - new_length) % window
    return Plan(
        dt=(gap / 1000.0).astype(np.float32),
        reset=reset,
        snapshot=snapshot,
        slot=slot,
        keep=keep,
        base_ms=base_ms,
        head=new_head,
        length=new_length,
        since_base=new_base,
        since_mid=new_mid,
        form=form.astype(np.uint8),
    )


def _base_times(
    slab: Slab,
    steps: Steps,
    groups: Groups,
    base_ms: Int64,
    last_snap: Int64,
    snapped: Bool,
    n_snaps: Int64,
    was_reset: Bool,
    previous: Int64,
    reset_at: Int64,
) -> Int64:
    """Event time of each user's base after the batch.

    A snapshot makes the middle the new base: the event W/2 + 1 before it. The first snapshot
    after a beginning or a reset finds the middle equal to the base, which then keeps its time.
    """
    half = slab.layout.window // 2
    users = steps.row[groups.start]
    base_ms = np.where(was_reset, previous[np.maximum(reset_at, 0)], base_ms)
    equal = was_reset | (slab.rows["since_base"][users] == slab.rows["since_mid"][users])
    moved = np.flatnonzero(snapped & ((n_snaps > 1) | ~equal))
    back = last_snap[moved] - half - 1
    inside = back >= 0
    base_ms[moved[inside]] = steps.time_ms[groups.start[moved[inside]] + back[inside]]
    for user, steps_back in zip(moved[~inside], back[~inside], strict=True):
        row = slab.rows[users[user]]
        at = (int(row["head"]) + int(row["length"]) + int(steps_back)) % slab.layout.window
        base_ms[user] = entry_times(row["ring"][at], int(row["base_ms"]))
    return base_ms


def write_plan(slab: Slab, steps: Steps, groups: Groups, layout: Plan) -> None:
    """Write the steps' entries and the users' headers (the states are ``waves``'s)."""
    rows = slab.rows
    users = steps.row[groups.start]
    ring = rows["ring"]
    renewed = users[np.logical_or.reduceat(layout.reset, groups.start)]
    ring["event"][renewed] = 0
    kept = steps.take(layout.keep)
    at = (kept.row, layout.slot[layout.keep])
    ring["time_low"][at] = kept.time_ms & LOW_32
    ring["time_high"][at] = kept.time_ms >> 32 & LOW_8
    ring["item_low"][at] = kept.hash40 & LOW_32
    ring["item_high"][at] = kept.hash40 >> 32
    ring["event"][at] = kept.event
    ring["kind"][at] = kept.platform << ACTION_BITS | kept.action
    for name in ("base_ms", "head", "length", "since_base", "since_mid", "form"):
        rows[name][users] = getattr(layout, name)
    rows["bundle"][users] = slab.bundle
    counted = steps.take(steps.counted)
    np.add.at(rows["counts"], (counted.row, counted.platform), 1)
    slab.newest_ms[users] = steps.time_ms[groups.start + groups.size - 1]


def expire(slab: Slab, users: Int64, horizon_ms: int) -> None:
    """Drop entries older than the horizon that no rebuild needs, and pack what remains."""
    rows, window = slab.rows, slab.layout.window
    head = rows["head"][users].astype(np.int64)
    spare = rows["length"][users].astype(np.int64) - rows["since_base"][users]
    oldest = entry_times(rows["ring"][users, head], rows["base_ms"][users])
    stale = (spare > 0) & (oldest < slab.newest_ms[users] - horizon_ms)
    for user in users[stale]:
        _pack(rows, int(user), window, int(slab.newest_ms[user]) - horizon_ms)


def _pack(rows: NDArray[Any], user: int, window: int, cutoff_ms: int) -> None:
    row = rows[user]
    length, since_base = int(row["length"]), int(row["since_base"])
    entries = row["ring"][(int(row["head"]) + np.arange(length)) % window]
    old = int(np.searchsorted(entry_times(entries, int(row["base_ms"])), cutoff_ms))
    kept = entries[min(old, length - since_base) :]
    rows["ring"][user] = np.zeros(window, entries.dtype)
    rows["ring"][user, : len(kept)] = kept
    rows["head"][user], rows["length"][user] = 0, len(kept)
