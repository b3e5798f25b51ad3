"""Puts a sample of events aside, as cases to be judged off the hot path."""

from __future__ import annotations

from typing import Final

import numpy as np

from streams.quality.cases import Cases
from streams.quality.judge import Judge
from streams.quality.popularity import Popularity
from streams.quality.ranking import Int64
from streams.windows.slab import NEVER, Slab
from streams.windows.step_columns import Groups, StepColumns

CASES_KEPT: Final = 512
"""Cases that wait to be judged; further ones are dropped, and counted."""
LOW_BITS: Final = 1 << 20


class Sampler:
    """Puts cases aside while batches are applied; see ``StateUpdater.observer``.

    Args:
        judge: of the active bundle.
        rate: share of events that are looked at.
        refund: index of the action that says nothing about what a user likes.
        popularity: counts so far.

    Attributes:
        dropped: cases that nobody judged in time.
    """

    def __init__(self, judge: Judge, rate: float, refund: int, popularity: Popularity) -> None:
        self.judge = judge
        self.popularity = popularity
        self._threshold = round(rate * LOW_BITS)
        self._refund = refund
        self._waiting: list[Cases] = []
        self._count = 0
        self.dropped = 0

    def see(self, slab: Slab, steps: StepColumns, groups: Groups) -> None:
        """Steps that are about to be taken, sorted by user."""
        first = groups.start[steps.counted[groups.start]]
        chosen = first[(steps.event[first] & (LOW_BITS - 1)) < self._threshold]
        if len(chosen):
            self._put_aside(slab, steps, chosen)
        counted = np.flatnonzero(steps.counted)
        if len(counted):
            self.popularity.count(steps.platform[counted], steps.item[counted])

    def _put_aside(self, slab: Slab, steps: StepColumns, chosen: Int64) -> None:
        known = slab.newest_ms[steps.row[chosen]] != NEVER
        known &= steps.action[chosen] != self._refund
        items = self.judge.catalogue.items
        of_bundle = [
            item < items[platform].unknown_index
            for platform, item in zip(
                steps.platform[chosen].tolist(), steps.item[chosen].tolist(), strict=True
            )
        ]
        chosen = chosen[known & np.array(of_bundle, np.bool_)]
        room = CASES_KEPT - self._count
        self.dropped += max(0, len(chosen) - room)
        chosen = chosen[: max(0, room)]
        if not len(chosen):
            return
        platform, item = steps.platform[chosen], steps.item[chosen]
        popular = [
            self.popularity.rank(p, i, self.judge.candidates[p].rows)
            for p, i in zip(platform.tolist(), item.tolist(), strict=True)
        ]
        rows = slab.rows[steps.row[chosen]]
        self._waiting.append(Cases(platform, steps.hash40[chosen], rows, np.array(popular)))
        self._count += len(chosen)

    def take(self) -> list[Cases]:
        """The cases since the last call."""
        waiting, self._waiting, self._count = self._waiting, [], 0
        return waiting
