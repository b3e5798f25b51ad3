"""Event table -> training sequences: what goes in at each event and what is to be predicted.

At every event each platform's next event is a target, not only the very next event: serving
asks every head at any time ("dense all action" prediction, Pancha et al., KDD 2022). A sequence
can be shown with one platform hidden; then it predicts only that platform
(``models.objectives.cold``). Events without times have no order: each pass then takes those of a
user in another one (a file that lists one platform after the other would never have the first
predicted from the second).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.table import EventTable

IntArray = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]


class Pass(NamedTuple):
    """Which sequences a pass over the data shows.

    Attributes:
        sequence: int64 [n], numbers of sequences; one may come several times.
        hides: bool [n], whether one of its platforms is hidden.
    """

    sequence: IntArray
    hides: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Batch:
    """B sequences of at most T events, padded at the end.

    Attributes:
        item: int64 [B, T], numbers over all platforms; -1 stands for an unknown item.
        platform: int64 [B, T]; ``action`` int64 [B, T].
        dt: float32 [B, T], seconds since the event before it in this view.
        target: int64 [B, T, P], number of each platform's next item, -1 for none.
        gap: int64 [B, T, P], how many events later that is (1 = the very next).
        target_ms: int64 [B, T, P], times of the targets; ``target_action`` int64 [B, T, P].
        cold: bool [B], whether a platform is hidden.
    """

    item: IntArray
    platform: IntArray
    action: IntArray
    dt: F32
    target: IntArray
    gap: IntArray
    target_ms: IntArray
    target_action: IntArray
    cold: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sequences:
    """All training events, in the table's order, and where sequences start and end."""

    item: IntArray
    platform: IntArray
    action: IntArray
    time_ms: IntArray
    following: IntArray
    bounds: IntArray
    mixed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, table: EventTable, length: int) -> Sequences:
        """Cut each user's events into sequences of at most ``length`` events.

        Args:
            table: training events.
            length: events of a sequence at most.
        """
        return cls(
            item=table.global_item.astype(np.int64),
            platform=table.platform.astype(np.int64),
            action=table.action.astype(np.int64),
            time_ms=table.time_ms,
            following=next_events(table),
            bounds=(bounds := cut(table.user_starts, length)),
            mixed=several(table.platform, bounds),
        )

    def __len__(self) -> int:
        return len(self.bounds)

    def batches(
        self, size: int, rng: np.random.Generator, shown: Pass | None = None
    ) -> Iterator[Batch]:
        """One pass in random order; neighbours in length share a batch, so little is padding.

        Args:
            size: sequences in a batch.
            rng: of order and views.
            shown: which sequences; None shows each once with all of its events.
        """
        shown = shown or self.whole
        noise = rng.uniform(0.8, 1.25, len(shown.sequence))
        bounds = self.bounds[shown.sequence]  # [n, 2]
        order = np.argsort((bounds[:, 1] - bounds[:, 0]) * noise, kind="stable")
        groups = [order[at : at + size] for at in range(0, len(order), size)]
        for group in rng.permutation(len(groups)):
            chosen = groups[group]
            views = [
                self._view(sequence, hides, rng)
                for sequence, hides in zip(shown.sequence[chosen], shown.hides[chosen], strict=True)
            ]
            kept = [view for view in views if len(view[0])]
            if kept:
                yield self._pad(kept)

    @property
    def whole(self) -> Pass:
        """Each sequence once, with all of its events."""
        return Pass(np.arange(len(self)), np.zeros(len(self), bool))

    def _view(self, sequence: int, hides: bool, rng: np.random.Generator) -> tuple[IntArray, int]:
        """Rows of a sequence, and the platform that it hides (-1 for none)."""
        start, stop = self.bounds[sequence].tolist()
        rows = np.arange(start, stop)
        if not hides:
            return rows, -1
        hidden = int(rng.choice(np.unique(self.platform[start:stop])))
        return rows[self.platform[start:stop] != hidden], hidden

    def _pad(self, views: list[tuple[IntArray, int]]) -> Batch:
        longest = max(len(rows) for rows, _ in views)
        take = np.full((len(views), longest), -1, np.int64)
        hidden = np.array([hide for _, hide in views])
        for at, (rows, _) in enumerate(views):
            take[at, : len(rows)] = rows
        following = np.where((take >= 0)[..., None], self.following[take], -1)  # [B, T, P]
        cold = hidden >= 0
        others = np.arange(following.shape[-1]) != hidden[:, None, None]
        following[np.broadcast_to(cold[:, None, None] & others, following.shape)] = -1
        return Batch(
            item=np.where(take >= 0, self.item[take], -1),
            platform=self.platform[take],
            action=self.action[take],
            dt=gaps(np.where(take >= 0, self.time_ms[take] / 1000.0, np.nan)),
            target=np.where(following >= 0, self.item[following], -1),
            gap=following - take[..., None],
            target_ms=self.time_ms[following],
            target_action=self.action[following],
            cold=cold,
        )


def several(platform: npt.NDArray[np.integer], bounds: IntArray) -> npt.NDArray[np.bool_]:
    """bool [n]: whether the rows of each sequence are of more than one platform."""
    changes = np.concatenate([[0], np.cumsum(platform[1:] != platform[:-1])])
    made: npt.NDArray[np.bool_] = changes[bounds[:, 1] - 1] > changes[bounds[:, 0]]
    return made


def unordered(table: EventTable, rng: np.random.Generator) -> EventTable:
    """The same events, each user's in random order."""
    return table.select(np.lexsort((rng.random(len(table)), table.user)))


def gaps(time_s: npt.NDArray[np.float64]) -> F32:
    """float64 [B, T] times, NaN for padding -> seconds since the event before, 0 at first."""
    passed = np.zeros(time_s.shape, np.float32)
    passed[:, 1:] = np.diff(time_s, axis=1)
    return np.maximum(np.nan_to_num(passed), 0.0)


def cut(starts: IntArray, length: int) -> IntArray:
    """User starts [U + 1] -> sequence bounds [n, 2]; the last piece of a user is full."""
    bounds = [
        (max(start, end - length), end)
        for start, stop in itertools.pairwise(starts.tolist())
        for end in range(stop, start, -length)
    ]
    return np.array(bounds, np.int64).reshape(-1, 2)


def next_events(table: EventTable) -> IntArray:
    """For each event the row of each platform's next event: int64 [E, P], -1 for none.

    Events with the item of the event itself don't count: to click what one has just looked
    at, or to buy it, says nothing about what else would be of interest.
    """
    count = len(table)
    here = np.arange(count)
    following = np.full((count, len(table.platforms)), -1, np.int64)
    for p in range(len(table.platforms)):
        rows = np.flatnonzero(table.platform == p)
        after = np.searchsorted(rows, here, side="right")
        after[rows] = _run_ends(table, rows)
        coming = np.append(rows, count)[after]
        found = (coming < count) & (table.user[np.minimum(coming, count - 1)] == table.user)
        following[found, p] = coming[found]
    return following


def _run_ends(table: EventTable, rows: IntArray) -> IntArray:
    """For one platform's ``rows`` [n]: where in them each row's run of one item is over."""
    if not len(rows):
        return rows
    item, user = table.item[rows], table.user[rows]
    new = np.append((item[1:] != item[:-1]) | (user[1:] != user[:-1]), True)
    ends = np.flatnonzero(new) + 1
    return ends[np.searchsorted(ends, np.arange(len(rows)), side="right")]


def item_counts(table: EventTable) -> F32:
    """float32 [N]: events of each item, numbered over all platforms."""
    counts = np.bincount(table.global_item, minlength=int(table.item_offsets[-1]))
    return counts.astype(np.float32)
