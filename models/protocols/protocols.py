"""Evaluation protocols: which events train, which are ranked, and against which candidates.

A protocol turns an event table into a ``Split``. Every case ranks the item of one event from
a history that is a prefix of the same user's rows, so a recurrent model needs one pass over
a user for all cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.table import TEST, TRAIN, VALIDATION, EventTable, Int32, Int64
from models.errors import ModelError

Bool = npt.NDArray[np.bool_]

NEGATIVES: Final = 999
GROUPS: Final = ("warm", "new to target", "no history", "new item")


@dataclass(frozen=True, slots=True)
class Cases:
    """n events whose items are to be ranked.

    Attributes:
        row: int64 [n], the event, a row of ``Split.table``; its platform is the target.
        start: int64 [n], first row of the history.
        end: int64 [n], the history is the rows ``start:end``.
        candidates: int32 [n, C] item codes of the target platform; column 0 is the event's
            own item, -1 stands for none. None ranks the full catalogue without the items of
            the history.
    """

    row: Int64
    start: Int64
    end: Int64
    candidates: Int32 | None

    def __len__(self) -> int:
        return len(self.row)

    def select(self, chosen: Bool | Int64 | slice) -> Cases:
        """Some of the cases."""
        candidates = None if self.candidates is None else self.candidates[chosen]
        return Cases(self.row[chosen], self.start[chosen], self.end[chosen], candidates)


@dataclass(frozen=True, slots=True)
class Split:
    """A table and what a protocol makes of it.

    Attributes:
        protocol: its name.
        table: all events; for prescribed splits a user's training events come first.
        train: bool [E], the rows that a method may learn from.
        validation: cases to choose by (epochs, settings).
        test: cases to report.
        observed: bool [E], rows that a method may also count at a case that is later than
            they are, as a live service would; None stands for the training rows.
    """

    protocol: str
    table: EventTable
    train: Bool
    validation: Cases
    test: Cases
    observed: Bool | None = None

    @property
    def training(self) -> EventTable:
        """The training events alone, with the codes of the whole table."""
        return self.table.select(self.train)

    def targets(self, cases: Cases) -> npt.NDArray[np.int16]:
        """int16 [n]: the target platform of each case."""
        return self.table.platform[cases.row]

    def groups(self, cases: Cases) -> npt.NDArray[np.int8]:
        """int8 [n], positions in ``GROUPS``: each case is in exactly one.

        An item without a training event is "new item" whoever the user is. Other cases go by
        the history: events on the target are "warm", only events elsewhere "new to target".
        """
        target = self.targets(cases)
        seen = np.bincount(
            self.table.global_item[self.train], minlength=int(self.table.item_offsets[-1])
        )
        on_target = np.zeros(len(cases), np.int64)
        for platform in np.unique(target):
            total = np.concatenate([[0], np.cumsum(self.table.platform == platform)])
            there = target == platform
            on_target[there] = total[cases.end[there]] - total[cases.start[there]]
        group = np.where(on_target > 0, 0, np.where(cases.end > cases.start, 1, 2))
        group[seen[self.table.global_item[cases.row]] == 0] = 3
        return group.astype(np.int8)


def abxi(table: EventTable, seed: int = 0, negatives: int = NEGATIVES) -> Split:
    """Leave-one-out on the merged sequence, as ABXI (WWW 2025) is measured.

    A user's last event is the test, the one before it the validation; the history is
    everything earlier. Candidates: ``negatives`` items drawn uniformly, each once, from the
    target platform without any item of the user. Users with fewer than three events only
    train.
    """
    starts = table.user_starts
    long = np.diff(starts) >= 3
    first, last = starts[:-1][long], starts[1:][long] - 1
    train = np.ones(len(table), bool)
    train[last] = train[last - 1] = False
    every = np.ones(len(table), bool)
    rng = np.random.default_rng(seed)
    cases = []
    for row in (last - 1, last):
        candidates = _draw_for(table, row, every, rng, negatives)
        cases.append(Cases(row, first, row, candidates))
    return Split("abxi", table, train, cases[0], cases[1])


def temporal(
    table: EventTable, seed: int = 0, train_share: float = 0.8, validation_share: float = 0.1
) -> Split:
    """Split by time; rank the full catalogue of the target, as a live service would.

    The first ``train_share`` of all events trains, the next ``validation_share`` validates,
    the rest tests; events of one time stay together. Every event of the later parts is a
    case, and its history is all that the user did at an earlier time, also after training
    ended: a state moves on while the model stays. ``seed`` isn't used.

    Raises:
        ModelError: the data has no times.
    """
    del seed
    if not len(table) or table.time_ms.min() == table.time_ms.max():
        raise ModelError("the events have no times; use a protocol other than temporal")
    cuts = np.quantile(table.time_ms, [train_share, train_share + validation_share], method="lower")
    begin = table.user_starts[table.user]
    earlier = _rows_earlier(table)
    cases = []
    for low, high in ((cuts[0], cuts[1]), (cuts[1], table.time_ms.max())):
        row = np.flatnonzero((table.time_ms > low) & (table.time_ms <= high))
        cases.append(Cases(row, begin[row], earlier[row], None))
    everything = np.ones(len(table), bool)
    return Split("temporal", table, table.time_ms <= cuts[0], cases[0], cases[1], everything)


def _rows_earlier(table: EventTable) -> Int64:
    """int64 [E]: for each row the end of its user's rows of strictly earlier time."""
    rows = np.arange(len(table))
    new = np.ones(len(table), bool)
    new[1:] = (table.user[1:] != table.user[:-1]) | (table.time_ms[1:] != table.time_ms[:-1])
    return np.maximum.accumulate(np.where(new, rows, 0))


def cdrib(table: EventTable, seed: int = 0, negatives: int = NEGATIVES) -> Split:
    """The split that the dataset prescribes, as CDRIB (ICDE 2022) is measured.

    The history is the user's training events. Candidates: those that the dataset lists,
    otherwise ``negatives`` items of the target that aren't among the user's items of the
    same part (test items for a test case). Where the dataset has no validation part, one
    random training event of each user and platform with at least three is taken for it, and
    is part of the history of the test cases; the same one for every ``seed``, so that no bundle
    has trained on what another seed validates on.

    Raises:
        ModelError: the dataset prescribes no split.
    """
    if table.part is None:
        raise ModelError("the dataset prescribes no split; use the protocol abxi or temporal")
    rng = np.random.default_rng(seed)
    given = bool((table.part == VALIDATION).any())
    if not given:
        table = replace(table, part=_with_validation(table, np.random.default_rng(0)))
    assert table.part is not None
    table = table.select(np.lexsort((table.part, table.user)))
    validation = _part_cases(table, VALIDATION, TRAIN, rng, negatives)
    test = _part_cases(table, TEST, TRAIN if given else VALIDATION, rng, negatives)
    assert table.part is not None
    return Split("cdrib", table, table.part == TRAIN, validation, test)


def _with_validation(table: EventTable, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """The table's parts, with one training event in each large enough pair made validation."""
    assert table.part is not None
    part = table.part.copy()
    pair = table.user.astype(np.int64) * len(table.platforms) + table.platform
    rows = rng.permutation(np.flatnonzero(part == TRAIN))
    _, first, counts = np.unique(pair[rows], return_index=True, return_counts=True)
    part[rows[first[counts >= 3]]] = VALIDATION
    return part


def _part_cases(
    table: EventTable, part: int, history: int, rng: np.random.Generator, negatives: int
) -> Cases:
    """Cases of one part; the history is the user's rows of the parts up to ``history``."""
    assert table.part is not None
    row = np.flatnonzero(table.part == part)
    starts = table.user_starts
    known = np.concatenate([[0], np.cumsum(table.part <= history)])
    length = known[starts[1:]] - known[starts[:-1]]
    user = table.user[row]
    candidates = _given_negatives(table, row)
    if candidates is None:
        width = negatives if table.negatives is None else table.negatives.shape[1]
        candidates = _draw_for(table, row, table.part == part, rng, width)
    return Cases(row, starts[:-1][user], starts[:-1][user] + length[user], candidates)


def _given_negatives(table: EventTable, row: Int64) -> Int32 | None:
    """The event's own item and the prescribed negatives, None if not all cases have them."""
    if table.negatives is None or not (table.negatives[row] >= 0).any(axis=1).all():
        return None
    return np.concatenate([table.item[row][:, None], table.negatives[row]], axis=1)


def _draw_for(
    table: EventTable,
    row: Int64,
    excluded: Bool,
    rng: np.random.Generator,
    negatives: int,
) -> Int32:
    """int32 [n, negatives + 1]: the case's item, then random ones of its platform.

    Items of the same user in rows where ``excluded`` holds aren't drawn. A platform that
    has too few items gives fewer candidates (-1).
    """
    starts = table.user_starts
    drawn = np.full((len(row), negatives + 1), -1, np.int32)
    drawn[:, 0] = table.item[row]
    for at, (target, person) in enumerate(zip(table.platform[row], table.user[row], strict=True)):
        own = slice(starts[person], starts[person + 1])
        keep = excluded[own] & (table.platform[own] == target)
        banned = np.append(table.item[own][keep], drawn[at, 0])
        found = draw_without(rng, len(table.items[target]), banned, negatives)
        drawn[at, 1 : 1 + len(found)] = found
    return drawn


def draw_without(rng: np.random.Generator, size: int, banned: Int32, count: int) -> Int64:
    """At most ``count`` different numbers below ``size``, uniform among those not banned."""
    banned = np.unique(banned)
    drawn = rng.choice(size, min(size, count + len(banned)), replace=False)
    return drawn[~np.isin(drawn, banned)][:count]


PROTOCOLS: Final[dict[str, Callable[[EventTable, int], Split]]] = {
    "abxi": abxi,
    "cdrib": cdrib,
    "temporal": temporal,
}
