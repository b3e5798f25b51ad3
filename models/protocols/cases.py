"""What a protocol makes of an event table: which events train, which are ranked.

Every case ranks the item of one event from a history that is a prefix of the same user's rows,
so a recurrent model needs one pass over a user for all cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.table import EventTable, Int32, Int64

Bool = npt.NDArray[np.bool_]

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
        appeared_ms: int64 [items of all platforms], since when each item exists: of a full
            catalogue only what exists at the event is ranked. None: all of it always does.
    """

    row: Int64
    start: Int64
    end: Int64
    candidates: Int32 | None
    appeared_ms: Int64 | None = None

    def __len__(self) -> int:
        return len(self.row)

    def select(self, chosen: Bool | Int64 | slice) -> Cases:
        """Some of the cases."""
        candidates = None if self.candidates is None else self.candidates[chosen]
        history = self.start[chosen], self.end[chosen]
        return Cases(self.row[chosen], *history, candidates, self.appeared_ms)

    def sample(self, most: int, seed: int) -> Cases:
        """At most so many of the cases, drawn at random and in their order."""
        if len(self) <= most:
            return self
        drawn = np.random.default_rng(seed).choice(len(self), most, replace=False)
        return self.select(np.sort(drawn))


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

    @property
    def may_count(self) -> Bool:
        """bool [E]: rows that may be counted at a case that is later than they are."""
        return self.train if self.observed is None else self.observed

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
