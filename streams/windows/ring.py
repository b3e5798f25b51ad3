"""Where a batch's steps go in their users' rows, in closed form: no loop over events.

The rules are those of ``late_events``: a gap beyond the horizon resets, W/2 events after a snapshot
comes the next, the ring keeps the last W. Steps are sorted by user, each user's in time order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.windows.late_events import BIG
from streams.windows.layout import ACTION_BITS, FORM, entry_times
from streams.windows.slab import NEVER, Slab
from streams.windows.step_columns import Groups, StepColumns

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

MAX_GAP_MS = 16 * 365 * 86_400_000
"""Longer gaps between two events count as 16 years."""
LOW_32, LOW_8 = (1 << 32) - 1, 0xFF


@dataclass(slots=True)
class RingPlan:
    """Where each step of a batch goes (columns [n]), and the users' headers after it ([u]).

    Attributes:
        dt: seconds since the user's previous event, float32 [n].
        reset: the window starts anew before this step [n].
        snapshot: snapshots are taken before this step [n].
        slot: ring slot [n].
        keep: the step's entry is in the window after the batch [n].
        base_ms: event time of the base [u].
        head: oldest slot of the ring [u].
        length: entries in the ring [u].
        since_base: events after the base [u].
        since_mid: events after the middle snapshot [u].
        form: form byte [u].
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


@dataclass(slots=True)
class Runs:
    """Stretches of a user's steps without a reset between them.

    Attributes:
        previous_ms: time of the user's event before each step; its own for the first ever [n].
        reset: a new run begins here, because of a gap [n].
        fresh: the step's run began in this batch; other runs continue what was before [n].
        rank: position in its run, counted from the batch's beginning [n].
        final: the step is in its user's last run [n].
        renewed: the user's last run began in this batch [u].
        start: step that begins the last run, where ``renewed`` [u].
        size: steps in the last run [u].
    """

    previous_ms: Int64
    reset: Bool
    fresh: Bool
    rank: Int64
    final: Bool
    renewed: Bool
    start: Int64
    size: Int64


def plan_rings(slab: Slab, steps: StepColumns, groups: Groups, horizon_ms: int) -> RingPlan:
    """Lay out a batch; ``groups`` are the users of ``steps``."""
    window, of = slab.layout.window, groups.of_step
    half = window // 2
    users = steps.row[groups.start]
    last = groups.start + groups.size - 1
    runs = _runs(slab, steps, groups, horizon_ms)
    length = np.where(runs.renewed, 0, slab.rows["length"][users])
    end = (slab.rows["head"][users].astype(np.int64) + slab.rows["length"][users]) % window
    count = np.where(runs.fresh, 0, slab.rows["since_mid"][users][of]) + runs.rank
    snapshot = (count > 0) & (count % half == 0)
    new_length = np.minimum(window, length + runs.size)
    since_mid = count[last] % half + 1
    base_ms, since_base, form = _bases(slab, steps, groups, runs, snapshot, since_mid)
    return RingPlan(
        dt=((steps.time_ms - runs.previous_ms) / 1000.0).astype(np.float32),
        reset=runs.reset,
        snapshot=snapshot,
        slot=(np.where(runs.fresh, 0, end[of]) + runs.rank) % window,
        keep=runs.final & (runs.rank + new_length[of] >= runs.size[of]),
        base_ms=base_ms,
        head=(np.where(runs.renewed, 0, end) + runs.size - new_length) % window,
        length=new_length,
        since_base=since_base,
        since_mid=since_mid,
        form=form,
    )


def _runs(slab: Slab, steps: StepColumns, groups: Groups, horizon_ms: int) -> Runs:
    newest = slab.newest_ms[steps.row[groups.start]]
    first_ms = steps.time_ms[groups.start]
    previous = np.empty(len(steps), np.int64)
    previous[1:] = steps.time_ms[:-1]
    previous[groups.start] = np.where(newest == NEVER, first_ms, newest)
    # A base further away than 2^39 ms would give the ring's 40-bit times a wrong century.
    previous = np.maximum(previous, steps.time_ms - MAX_GAP_MS)
    reset = steps.time_ms - previous > horizon_ms
    # Running maximum of the resets' indices, one user lifted above the next.
    here = np.arange(len(steps))
    lift = (groups.of_step + 1) * BIG
    began = np.maximum.accumulate(np.where(reset, here, -1) + lift) - lift
    fresh = began >= 0
    rank = np.where(fresh, here - began, groups.rank)
    last = groups.start + groups.size - 1
    return Runs(
        previous_ms=previous,
        reset=reset,
        fresh=fresh,
        rank=rank,
        final=began == began[last][groups.of_step],
        renewed=fresh[last],
        start=began[last],
        size=rank[last] + 1,
    )


def _bases(
    slab: Slab, steps: StepColumns, groups: Groups, runs: Runs, snapshot: Bool, since_mid: Int64
) -> tuple[Int64, Int64, NDArray[np.uint8]]:
    """Each user's base after the batch: its time, the events after it, the form byte.

    A reset makes the state before it the base. A snapshot makes the middle the base, which
    is the state W/2 events before; right after a beginning or a reset the two are the same,
    and the base keeps its time.
    """
    rows, half = slab.rows, slab.layout.window // 2
    users = steps.row[groups.start]
    counted = snapshot & runs.final
    taken = np.add.reduceat(counted.astype(np.int64), groups.start)
    latest = np.maximum.reduceat(np.where(counted, groups.rank, -1), groups.start)
    same = runs.renewed | (rows["since_base"][users] == rows["since_mid"][users])

    base_ms = rows["base_ms"][users].astype(np.int64)
    # A base without a past needs a time near the events, for the ring's 40-bit times.
    first = slab.newest_ms[users] == NEVER
    base_ms[first] = steps.time_ms[groups.start][first]
    base_ms[runs.renewed] = runs.previous_ms[runs.start[runs.renewed]]
    moved = np.flatnonzero((taken > 1) | ((taken == 1) & ~same))
    base_ms[moved] = _times_at(slab, steps, groups, moved, latest[moved] - half - 1)

    unmoved = np.where(runs.renewed, 0, rows["since_base"][users]) + runs.size
    since_base = np.where(taken > 0, since_mid + half, unmoved)
    snapshots = np.where(runs.renewed, 2, np.minimum(2, rows["form"][users] - FORM + taken))
    return base_ms, since_base, (FORM + snapshots).astype(np.uint8)


def _times_at(slab: Slab, steps: StepColumns, groups: Groups, users: Int64, rank: Int64) -> Int64:
    """Event times of a step of each user; before the batch (rank < 0), of an entry of the ring."""
    start = groups.start[users]
    row = steps.row[start]
    rows = slab.rows
    end = rows["head"][row].astype(np.int64) + rows["length"][row]
    stored = entry_times(rows["ring"][row, (end + rank) % slab.layout.window], rows["base_ms"][row])
    of_batch = steps.time_ms[start + np.maximum(rank, 0)]
    return np.where(rank >= 0, of_batch, stored)


def write_rings(slab: Slab, steps: StepColumns, groups: Groups, plan: RingPlan) -> None:
    """Write the steps' entries and the users' headers (the states are ``waves``'s)."""
    rows = slab.rows
    users = steps.row[groups.start]
    ring = rows["ring"]
    renewed = users[np.logical_or.reduceat(plan.reset, groups.start)]
    ring["event"][renewed] = 0
    kept = steps.take(plan.keep)
    at = (kept.row, plan.slot[plan.keep])
    ring["time_low"][at] = kept.time_ms & LOW_32
    ring["time_high"][at] = kept.time_ms >> 32 & LOW_8
    ring["item_low"][at] = kept.hash40 & LOW_32
    ring["item_high"][at] = kept.hash40 >> 32
    ring["event"][at] = kept.event
    ring["kind"][at] = kept.platform << ACTION_BITS | kept.action
    for name in ("base_ms", "head", "length", "since_base", "since_mid", "form"):
        rows[name][users] = getattr(plan, name)
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
