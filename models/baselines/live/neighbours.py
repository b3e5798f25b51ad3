"""Live neighbours: counting goes on while the model stays; nothing learned, nothing grows old.

A case's own history is taken up to the event. What others did is counted up to the beginning of a
period: a day, or a thousandth of the time that is ranked where that is less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import sparse

from models.baselines.base import Float32, Sparse, columns, dense, history_matrix
from models.baselines.live.choice import best_on_validation
from models.data.table import Int64
from models.protocols.cases import Cases, Split

DAY_MS: Final = 86_400_000
PERIODS: Final = 1000
"""So many periods, at least, are in the time that is ranked."""
SHRINK: Final = 3.0
"""Added to the number of events of an item or a person, before its root is taken."""


class Counts(NamedTuple):
    """What is counted before a period begins.

    Attributes:
        taken: float32 [U, items of all platforms], events of each user on each item.
        by_item: events of each item, float32 [items of all platforms].
        by_user: events of each user, float32 [U].
        rows: the events themselves, int64.
        now_ms: when the period begins.
    """

    taken: Sparse
    by_item: Float32
    by_user: Float32
    rows: Int64
    now_ms: int


class _Periods:
    """The counts of one period after another; the last one is kept."""

    def __init__(self, split: Split) -> None:
        table = split.table
        self._table = table
        rows = np.flatnonzero(split.may_count)
        self._rows = rows[np.argsort(table.time_ms[rows], kind="stable")]
        self._times = table.time_ms[self._rows]
        ranked = table.time_ms[np.concatenate([split.validation.row, split.test.row])]
        self._length = int(np.clip(np.ptp(ranked) // PERIODS, 1, DAY_MS)) if len(ranked) else DAY_MS
        self._kept: Counts | None = None

    def groups(self, cases: Cases) -> Iterator[tuple[Counts, Int64]]:
        """The counts of each period that has cases, and the positions of these."""
        began = self._table.time_ms[cases.row] // self._length * self._length
        for now in np.unique(began).tolist():
            if self._kept is None or self._kept.now_ms != now:
                self._kept = self._count(now)
            yield self._kept, np.flatnonzero(began == now)

    def _count(self, now_ms: int) -> Counts:
        table = self._table
        rows = self._rows[: np.searchsorted(self._times, now_ms, side="left")]
        shape = len(table.users), int(table.item_offsets[-1])
        users, items = table.user[rows], table.global_item[rows]
        ones = np.ones(len(rows), np.float32)
        taken = sparse.csr_array((ones, (users, items)), shape=shape)
        by_item = np.bincount(items, minlength=shape[1]).astype(np.float32)
        by_user = np.bincount(users, minlength=shape[0]).astype(np.float32)
        return Counts(taken, by_item, by_user, rows, now_ms)


class Votes(NamedTuple):
    """A setting of :class:`LiveUserKnn`: days until a vote is worth 1/e, and the item's power."""

    days: float
    power: float


VOTES: Final = tuple(Votes(days, power) for days in (7.0, 3.0, 14.0, 30.0) for power in (0.25, 0.5))


class LiveUserKnn:
    """People with a similar history vote with what they took lately.

    Similarity of a history and a person: sum over the history of ``decay^k (n_i + 3)^-p`` times
    the person's events on the item, divided by ``sqrt(n_v + 3)``. A vote is worth
    ``exp(-age / days)``. Both are chosen for each target on validation.
    """

    def __init__(self, settings: Sequence[Votes] = VOTES, decay: float = 0.95) -> None:
        self._settings, self._decay = tuple(settings), decay
        self.chosen: dict[int, Votes] = {}

    def fit(self, split: Split, seed: int) -> None:
        """Choose the settings."""
        del seed
        self._split, self._periods = split, _Periods(split)
        self.chosen = best_on_validation(split, self._settings, self._scores)

    def scores(self, cases: Cases, target: int) -> Float32:
        """float32 [n, N]: sum of the votes for each item."""
        return self._scores(cases, target, self.chosen.get(target, self._settings[0]))

    def _scores(self, cases: Cases, target: int, setting: Votes) -> Float32:
        table = self._split.table
        made = np.zeros((len(cases), len(table.items[target])), np.float32)
        for counts, positions in self._periods.groups(cases):
            some = cases.select(positions)
            similar = similarities(self._split, some, counts, self._decay, setting.power)
            made[positions] = dense_product(similar, self._votes(counts, setting.days, target))
        return made

    def _votes(self, counts: Counts, days: float, target: int) -> Sparse:
        """float32 [U, N]: what each user's events on each item of the target are worth."""
        table = self._split.table
        rows = counts.rows[table.platform[counts.rows] == target]
        age = (counts.now_ms - table.time_ms[rows]) / DAY_MS
        recent = age < 20 * days  # what is left out is worth e^-20
        rows, worth = rows[recent], np.exp(-age[recent] / days).astype(np.float32)
        shape = len(table.users), len(table.items[target])
        return sparse.csr_array((worth, (table.user[rows], table.item[rows])), shape=shape)


class LiveItemKnn:
    """Items that the same people took so far: the cosine of who took what, summed over a history.

    The factorised form, without a shrunk product: ``(n_i + 3)^-1/2 (n_j + 3)^-1/2`` times the
    number of common events.
    """

    def __init__(self, decay: float = 0.8) -> None:
        self._decay = decay

    def fit(self, split: Split, seed: int) -> None:
        """Nothing is learned."""
        del seed
        self._split, self._periods = split, _Periods(split)

    def scores(self, cases: Cases, target: int) -> Float32:
        """float32 [n, N]: sum of the cosines to the items of the history."""
        table = self._split.table
        made = np.zeros((len(cases), len(table.items[target])), np.float32)
        own = columns(table, target)
        for counts, positions in self._periods.groups(cases):
            some = cases.select(positions)
            users = similarities(self._split, some, counts, self._decay, 0.5, by_user=False)
            common = dense_product(users, counts.taken[:, own])
            made[positions] = common * (counts.by_item[own] + SHRINK) ** -0.5
        return made


def similarities(
    split: Split, cases: Cases, counts: Counts, decay: float, power: float, *, by_user: bool = True
) -> Float32:
    """float32 [n, U]: how much each history has in common with each person, nobody with itself."""
    history = history_matrix(split, cases, decay)
    weights = sparse.diags_array((counts.by_item + SHRINK) ** -power)
    similar = dense(history @ weights @ counts.taken.T)
    if by_user:
        similar *= (counts.by_user + SHRINK) ** -0.5
    similar[np.arange(len(cases)), split.table.user[cases.row]] = 0
    return similar


def dense_product(left: Float32, right: Any) -> Float32:
    """A dense matrix [n, k] times a sparse one [k, m]."""
    made: Float32 = np.ascontiguousarray((right.T @ left.T).T, np.float32)
    return made
