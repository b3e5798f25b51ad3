"""Late events: what is too late, where one goes, and how the state goes back for it.

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
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.windows.layout import entry_times, ring_entries
from streams.windows.rewind import (
    base_is_beginning,
    entries_after_base,
    replay_steps,
    rewind_to_base,
)
from streams.windows.slab import NEVER, Slab
from streams.windows.step_columns import Groups, StepColumns

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

BIG = np.int64(1) << 44
"""More milliseconds than event times span; separates users in one running maximum."""


def out_of_order(slab: Slab, steps: StepColumns, groups: Groups) -> Bool:
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
        order: indices of the replayed entries and accepted events in time order: ``k`` < r is
            the k-th entry after the base, ``r + i`` the i-th new event.
        rewind: an accepted event lies before another: the state must be recomputed from the
            base. Otherwise only the new events of ``order`` are to be applied.
        late: how many events were kept out as too late.
        duplicate: how many as duplicates.
    """

    order: list[int]
    rewind: bool = False
    late: int = 0
    duplicate: int = 0


@dataclass(slots=True)
class History:
    """What is known of one user when events arrive.

    Attributes:
        times: event times of the ring, oldest first.
        events: event hashes of the ring.
        since_base: how many of them, the newest, came after the base.
        base_ms: time of the base; None where the base is the beginning of everything.
        newest_ms: newest event time; None for a new user.
    """

    times: list[int]
    events: list[int]
    since_base: int
    base_ms: int | None
    newest_ms: int | None


def admit(
    history: History, times: list[int], events: list[int], *, horizon_ms: int, window: int
) -> Admission:
    """Decide one user's arrivals one by one, as if each had come alone.

    The base moves on while events arrive, and entries leave the ring, so the result doesn't
    depend on how arrivals were cut into batches.

    Args:
        history: what is known; used up.
        times: event times of the arrivals, in arrival order.
        events: their identities' hashes.
        horizon_ms: how old a late event may be.
        window: W.
    """
    user = _Admitting(history, horizon_ms, window)
    for number, (time, event) in enumerate(zip(times, events, strict=True)):
        index = history.since_base + number
        if user.has(event):
            user.result.duplicate += 1
        elif user.newest is None or time >= user.newest:
            user.append(index, time, event)
        elif user.is_too_late(time):
            user.result.late += 1
        else:
            user.go_back(index, time, event)
    return user.finish()


class _Admitting:
    """One user's window while arrivals are admitted one by one."""

    def __init__(self, history: History, horizon_ms: int, window: int) -> None:
        self._horizon_ms, self._window = horizon_ms, window
        self._replayed = history.since_base
        self._ring = list(zip(history.times, history.events, strict=True))
        self._indices = list(range(history.since_base))  # of what came after the base
        self._done: list[int] = []  # of what a moving base has left behind
        self._base_ms = history.base_ms
        self.newest = history.newest_ms
        self.result = Admission(self._done)

    def has(self, event: int) -> bool:
        """Whether the window has an event of this identity."""
        oldest = None if self.newest is None else self.newest - self._horizon_ms
        return any(event == known and (oldest is None or t >= oldest) for t, known in self._ring)

    def is_too_late(self, time: int) -> bool:
        """Whether an event before the newest lies beyond what can be recomputed."""
        assert self.newest is not None
        before_base = self._base_ms is not None and time < self._base_ms
        return time < self.newest - self._horizon_ms or before_base

    def append(self, index: int, time: int, event: int) -> None:
        """The newest event; after a long gap the window starts anew."""
        if self.newest is not None and time - self.newest > self._horizon_ms:
            self._done += self._indices
            self._ring, self._indices, self._base_ms = [], [], self.newest
        self.newest = time
        self._insert(len(self._ring), index, time, event)

    def go_back(self, index: int, time: int, event: int) -> None:
        """A late event takes its place in time, behind those of the same time."""
        frozen = len(self._ring) - len(self._indices)
        at = bisect_right(self._ring, time, lo=frozen, key=itemgetter(0))
        self.result.rewind = True
        self._insert(at, index, time, event)

    def _insert(self, at: int, index: int, time: int, event: int) -> None:
        ring, indices = self._ring, self._indices
        indices.insert(at - (len(ring) - len(indices)), index)
        ring.insert(at, (time, event))
        if len(indices) > self._window:
            half = self._window // 2
            self._base_ms = ring[len(ring) - len(indices) + half - 1][0]
            self._done += indices[:half]
            del indices[:half]
        del ring[: max(0, len(ring) - self._window)]

    def finish(self) -> Admission:
        """What was decided."""
        self._done += self._indices
        if not self.result.rewind:
            self.result.order = [index for index in self._done if index >= self._replayed]
        return self.result


def history_of(slab: Slab, row: int) -> History:
    """What :func:`streams.windows.late_events.admit` has to know of a row."""
    base_ms, newest = int(slab.rows["base_ms"][row]), int(slab.newest_ms[row])
    entries = ring_entries(slab.layout, slab.rows[row])
    return History(
        times=entry_times(entries, base_ms).tolist(),
        events=entries["event"].tolist(),
        since_base=int(slab.rows["since_base"][row]),
        base_ms=None if base_is_beginning(slab, row) else base_ms,
        newest_ms=None if newest == NEVER else newest,
    )


def order_arrivals(
    slab: Slab, catalogue: Catalogue, arrivals: StepColumns, horizon_ms: int
) -> tuple[StepColumns, Admission]:
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
    return StepColumns.concat([replay, arrivals]).take(order), admission
