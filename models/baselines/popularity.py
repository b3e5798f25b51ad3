"""Popularity: of all time, and of the days just before the event."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.baselines.base import Float32, columns
from models.protocols.cases import Cases, Split

DAY_MS: Final = 86_400_000


class Popularity:
    """Training events of an item, the same for everybody."""

    def fit(self, split: Split, seed: int) -> None:
        """Count the training events of each item."""
        del seed
        self._table = split.table
        items = split.table.global_item[split.train]
        self._counts = np.bincount(items, minlength=int(split.table.item_offsets[-1]))

    def scores(self, cases: Cases, target: int) -> Float32:
        """The counts, repeated for each case."""
        counts = self._counts[columns(self._table, target)].astype(np.float32)
        return np.broadcast_to(counts, (len(cases), len(counts)))


class RecentPopularity:
    """Events of an item in the last days before the event to be ranked (``Split.observed``).

    Items with equally many go by all-time popularity, so that the method also says something
    about the many that had no event in the window.
    """

    def __init__(self, days: float = 7.0) -> None:
        self._window_ms = int(days * DAY_MS)

    def fit(self, split: Split, seed: int) -> None:
        """Order the countable events of each platform by time."""
        self._all_time = Popularity()
        self._all_time.fit(split, seed)
        self._table = split.table
        self._events = []
        observed = split.may_count
        for platform in range(len(split.table.platforms)):
            rows = np.flatnonzero(observed & (split.table.platform == platform))
            rows = rows[np.argsort(split.table.time_ms[rows], kind="stable")]
            self._events.append((split.table.time_ms[rows], split.table.item[rows]))

    def scores(self, cases: Cases, target: int) -> Float32:
        """log(1 + count in the window + a fraction below 1 for all-time popularity).

        The logarithm changes no rank; it makes the scores fit for a blend.
        """
        times, items = self._events[target]
        now = self._table.time_ms[cases.row]
        first = np.searchsorted(times, now - self._window_ms, side="left")
        last = np.searchsorted(times, now, side="left")
        scores = self._all_time.scores(cases, target)
        scores = scores / np.float32(scores.max(initial=0) + 1)
        for case, (begin, end) in enumerate(zip(first, last, strict=True)):
            scores[case] += np.bincount(items[begin:end], minlength=scores.shape[1])
        return np.log1p(scores)
