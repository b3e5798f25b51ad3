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
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from streams.interest.slab import Slab
from streams.interest.steps import Groups, Steps

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

BIG = np.int64(1) << 44
"""More milliseconds than event times span; separates users in one running maximum."""


def maybe_repeated(slab: Slab, steps: Steps) -> Bool:
    """Which steps have the identity of something in the ring or in the batch; [n].

    Only candidates: what has left the window by the time an event comes is no duplicate, and
    :func:`admit` knows when that is.
    """
    seen = (slab.rows["ring"]["event"][steps.row] == steps.event[:, None]).any(axis=1)
    identity = (steps.row << 32) | steps.event
    first = np.zeros(len(steps), np.bool_)
    first[np.unique(identity, return_index=True)[1]] = True
    candidates: Bool = seen | ~first
    return candidates


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
        order: places of the replayed entries and accepted events in time order: ``k`` < r is
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
    replayed = history.since_base
    ring = list(zip(history.times, history.events, strict=True))
    places = list(range(replayed))  # of what came after the base
    done: list[int] = []  # of what a moving base has left behind
    result = Admission(done)
    base_ms, newest = history.base_ms, history.newest_ms
    for number, (time, event) in enumerate(zip(times, events, strict=True)):
        oldest = None if newest is None else newest - horizon_ms
        if any(event == known and (oldest is None or t >= oldest) for t, known in ring):
            result.duplicate += 1
            continue
        if newest is None or time >= newest:
            if newest is not None and time - newest > horizon_ms:
                done += places
                ring, places, base_ms = [], [], newest
            newest = time
            at = len(ring)
        elif time < newest - horizon_ms or (base_ms is not None and time < base_ms):
            result.late += 1
            continue
        else:
            frozen = len(ring) - len(places)
            at = bisect_right(ring, time, lo=frozen, key=itemgetter(0))
            result.rewind = True
        places.insert(at - (len(ring) - len(places)), replayed + number)
        ring.insert(at, (time, event))
        if len(places) > window:
            half = window // 2
            base_ms = ring[len(ring) - len(places) + half - 1][0]
            done += places[:half]
            del places[:half]
        del ring[: max(0, len(ring) - window)]
    done += places
    if not result.rewind:
        result.order = [place for place in done if place >= replayed]
    return result
