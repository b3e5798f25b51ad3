"""What is taken up these days: counts of recent events, which no state of one user can know.

The last J numbers of an interest vector weigh ``log(1 + events of the item in the last w
days)`` for J windows w, and the last J columns of the items' output vectors hold these
logarithms. They are the only part of an item's vector that ages, so whoever ranks keeps them
fresh: count an item's events of the last days, take the logarithm, replace the columns. A
bundle brings the counts as they were when its training events ended.

Training and evaluation count for each predicted event what a live service would know then:
events at a strictly earlier time. Where no event has a time, nothing is earlier than anything:
one window of all time takes the place of the others and counts every event but the predicted
one. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.table import EventTable, Int64
from models.protocols.cases import Split

F32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
DAY_MS: Final = 86_400_000
# A century: the window, in days, that holds every event. Data without times has this one alone.
ALL_TIME: Final = 36_500.0


def trend_of(split: Split, days: Sequence[float]) -> Trend:
    """What a live service would have counted at any time; of no event with a time, all or none."""
    observed = split.may_count
    timed = bool(split.table.time_ms.any())
    return Trend(split.table, observed, days if timed else [d for d in days if d >= ALL_TIME])


def windows(table: EventTable, days: Sequence[float]) -> tuple[float, ...]:
    """The windows that suit the data: those asked for, or that of all time without times."""
    return tuple(days) if table.time_ms.any() or not days else (ALL_TIME,)


class Trend:
    """Counts of items in the last days before any time.

    Args:
        table: events.
        counted: bool [E], which of them count.
        days: J lengths of the windows.
    """

    def __init__(self, table: EventTable, counted: Bool, days: Sequence[float]) -> None:
        self.days = tuple(days)
        self._timed = bool(table.time_ms.any())
        self._widths = [int(length * DAY_MS) for length in self.days]
        self._sizes = [len(items) for items in table.items]
        self._events: list[tuple[Int64, Int64]] = []
        for platform in range(len(table.platforms)):
            rows = np.flatnonzero(counted & (table.platform == platform))
            rows = rows[np.argsort(table.time_ms[rows], kind="stable")]
            self._events.append((table.time_ms[rows], table.item[rows].astype(np.int64)))
        # Arrays, as numpy adds a number that isn't one five times as slowly.
        self._plus = np.ones(max((len(t) for t, _ in self._events), default=0), np.float32)
        self._minus = -self._plus

    def snapshots(self, platform: int, now_ms: Int64) -> Iterator[tuple[Int64, F32]]:
        """For each different time: positions in ``now_ms`` [k], and counts [J, N] before it.

        The counts are one array that changes as the iteration goes on. Without times, every
        event is before every moment.
        """
        if not self._timed:
            now_ms = np.ones_like(now_ms)
        times, items = self._events[platform]
        counts = np.zeros((len(self.days), self._sizes[platform]), np.float32)
        moments, moment = np.unique(now_ms, return_inverse=True)
        order = np.argsort(moment, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(moment, minlength=len(moments)))[:-1])
        last = np.searchsorted(times, moments, side="left").tolist()
        first = [np.searchsorted(times, moments - w, side="left").tolist() for w in self._widths]
        begin, end = [0] * len(self.days), 0
        for at, group in enumerate(groups if len(now_ms) else []):
            for window, row in enumerate(counts):
                if first[window][at] >= end:  # nothing of the last moment is left
                    row[items[begin[window] : end]] = 0.0
                else:
                    _count(row, items[begin[window] : first[window][at]], self._minus)
                begin[window] = first[window][at]
                _count(row, items[max(end, begin[window]) : last[at]], self._plus)
            end = last[at]
            yield group, counts

    def at(self, platform: int, now_ms: Int64, own: Int64, items: Int64) -> tuple[F32, F32]:
        """``log(1 + counts)`` at n times: of one item each, and of M items that all share.

        Args:
            platform: whose items.
            now_ms: int64 [n], times of n counted events.
            own: int64 [n], their items; where nothing has a time, the event itself isn't counted.
            items: int64 [M].

        Returns:
            float32 [n, J], and float32 [n, J, M].
        """
        mine = np.empty((len(now_ms), len(self.days)), np.float32)
        made = np.empty((len(now_ms), len(self.days), len(items)), np.float32)
        for group, counts in self.snapshots(platform, now_ms):
            made[group] = counts[:, items]
            mine[group] = counts[:, own[group]].T
        if not self._timed:
            np.maximum(mine - 1.0, 0.0, out=mine)
        return np.log1p(mine, out=mine), np.log1p(made, out=made)

    def columns(self, platform: int, now_ms: int) -> F32:
        """The J columns of a platform's output vectors at one time: float32 [N, J]."""
        for _, counts in self.snapshots(platform, np.array([now_ms], np.int64)):
            return np.log1p(counts).T
        return np.zeros((self._sizes[platform], 0), np.float32)

    def add_to(self, scores: F32, platform: int, now_ms: Int64, weights: F32) -> None:
        """Add the trend's part to scores [n, N] of a platform's items, in place.

        Args:
            scores: float32 [n, N], without that part.
            platform: whose items.
            now_ms: int64 [n], when each row is ranked.
            weights: float32 [n, J], the last numbers of each row's interest vector.
        """
        if not self.days:
            return
        for group, counts in self.snapshots(platform, now_ms):
            busy = np.flatnonzero(counts.any(axis=0))
            scores[np.ix_(group, busy)] += weights[group] @ np.log1p(counts[:, busy])


def _count(row: F32, items: Int64, signs: F32) -> None:
    if len(items):
        np.add.at(row, items, signs[: len(items)])
