"""The states that a batch leaves as its users' snapshots, picked out while the waves go by.

A snapshot makes the middle the base and the state before its step the middle; a reset makes that
state both (see ``late_events``). Of a batch only each user's last two count, and those are written
when the waves are through.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from streams.windows.ring import RingPlan
from streams.windows.slab import Slab
from streams.windows.step_columns import Groups

Int64 = NDArray[np.int64]
States = NDArray[np.float16]


class Snapshots:
    """Snapshots of one batch.

    Args:
        groups: users of the steps.
        plan: before which steps a snapshot is taken, or the window reset.
        order: the steps in the order of the waves.
        size: length of a state.
    """

    def __init__(self, groups: Groups, plan: RingPlan, order: Int64, size: int) -> None:
        marked = np.flatnonzero(plan.reset | plan.snapshot)  # by user, then in time order
        of_user = Groups.of(groups.of_step[marked])
        self._last = of_user.start + of_user.size - 1
        self._user = groups.of_step[marked[self._last]]
        # Whose state becomes the base: the last one's own, or the one's before; -1: the middle.
        before = np.where(of_user.size > 1, self._last - 1, -1)
        self._base = np.where(plan.reset[marked[self._last]], self._last, before)
        index = np.empty_like(order)
        index[order] = np.arange(len(order))
        at = index[marked]
        self._by_wave = np.argsort(at)
        self._at = at[self._by_wave]
        self._ends = self._at.tolist()
        self._kept = np.empty((len(marked), size), np.float16)
        self._next = 0

    def keep(self, start: int, end: int, before: States, after: States) -> None:
        """Look at the next stretch of waves, the steps from ``start`` to ``end``.

        Args:
            start: index of the first step in the order of the waves.
            end: index after the last.
            before: states before the stretch [B, S].
            after: states after each of its waves [T, B, S].
        """
        begin, self._next = self._next, bisect_left(self._ends, end, self._next)
        if begin == self._next:
            return
        states = before
        if len(after) > 1:
            states = np.concatenate([before, after[:-1].reshape(-1, before.shape[1])])
        taken = slice(begin, self._next)
        self._kept[self._by_wave[taken]] = states[self._at[taken] - start]

    def write(self, slab: Slab, rows: Int64) -> None:
        """Write them down; ``rows`` are the users' of ``groups``."""
        if not len(self._last):
            return
        middle, base = slab.rows["middle"], slab.rows["base"]
        users, known = rows[self._user], self._base >= 0
        base[users[~known]] = middle[users[~known]]
        base[users[known]] = self._kept[self._base[known]]
        middle[users] = self._kept[self._last]
