"""Popularity with a half-life: every event counts, an old one less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.baselines.base import Float32
from models.baselines.live.choice import best_on_validation
from models.data.table import Int64
from models.protocols.cases import Cases, Split

DAY_MS: Final = 86_400_000
HALF_LIVES: Final = (1.0, 3.0, 7.0, 14.0, 30.0, 90.0, 365.0, 3650.0)
"""Days; the last is as good as never."""


class LivePopularity:
    """Events of an item so far, each halved after every ``half-life`` (event by event).

    The half-life is chosen for each target on validation.

    Attributes:
        half_life: after ``fit``, target platform's code to days.
    """

    def __init__(self, half_lives: Sequence[float] = HALF_LIVES) -> None:
        self._half_lives = tuple(half_lives)
        self.half_life: dict[int, float] = {}

    def fit(self, split: Split, seed: int) -> None:
        """Order the events that may be observed, and choose the half-lives."""
        del seed
        table, observed = split.table, split.may_count
        self._table = table
        self._events: list[tuple[Int64, Int64]] = []
        for platform in range(len(table.platforms)):
            rows = np.flatnonzero(observed & (table.platform == platform))
            rows = rows[np.argsort(table.time_ms[rows], kind="stable")]
            self._events.append((table.time_ms[rows], table.item[rows].astype(np.int64)))
        self.half_life = best_on_validation(split, self._half_lives, self._scores)

    def scores(self, cases: Cases, target: int) -> Float32:
        """float32 [n, N]: decayed counts of strictly earlier events."""
        return self._scores(cases, target, self.half_life.get(target, self._half_lives[0]))

    def _scores(self, cases: Cases, target: int, half_life: float) -> Float32:
        times, items = self._events[target]
        now = self._table.time_ms[cases.row]
        moments, moment = np.unique(now, return_inverse=True)
        ends = np.searchsorted(times, moments, side="left")
        rate, size = -np.log(2) / (half_life * DAY_MS), len(self._table.items[target])
        at = np.empty((len(moments), size), np.float32)
        counts, begin, before = np.zeros(size), 0, moments[0] if len(moments) else 0
        for k, (end, time) in enumerate(zip(ends.tolist(), moments.tolist(), strict=True)):
            counts *= np.exp(rate * (time - before))
            weights = np.exp(rate * (time - times[begin:end]))
            counts += np.bincount(items[begin:end], weights, size)
            at[k], begin, before = counts, end, time
        return at[moment]
