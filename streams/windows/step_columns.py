"""Events as columns: what one batch applies to its users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


@dataclass(slots=True)
class StepColumns:
    """Model steps to take, one row of each column per step (all columns [n]).

    Attributes:
        row: slab row of the user.
        time_ms: event time.
        platform: platform index of the contract.
        action: action index of the contract.
        item: row of the item in its platform's catalogue.
        hash40: 40-bit hash of the item's id, for the window.
        event: 32-bit hash of the event's identity, never 0, for the window.
        counted: False for an event that the user's counts already hold (a replay).
    """

    row: Int64
    time_ms: Int64
    platform: Int64
    action: Int64
    item: Int64
    hash40: Int64
    event: Int64
    counted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, where: NDArray[np.int64] | NDArray[np.bool_]) -> StepColumns:
        """The steps at some indices, in that order."""
        return StepColumns(*(getattr(self, field.name)[where] for field in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence[StepColumns]) -> StepColumns:
        """Several batches of steps, one after the other."""
        if len(parts) == 1:
            return parts[0]
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    @classmethod
    def empty(cls) -> StepColumns:
        """No steps."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, none, none, none, none, np.zeros(0, np.bool_))


@dataclass(slots=True)
class Groups:
    """Steps sorted by user: where each user's run of steps lies.

    Attributes:
        start: first step of each user [u].
        size: number of steps of each user [u].
        of_step: user of each step [n].
        rank: position of each step in its user's run [n].
    """

    start: Int64
    size: Int64
    of_step: Int64
    rank: Int64

    @classmethod
    def of(cls, row: Int64) -> Groups:
        """Groups of a column of rows in which equal rows are neighbours."""
        n = len(row)
        first = np.ones(n, np.bool_)
        first[1:] = row[1:] != row[:-1]
        start = np.flatnonzero(first)
        size = np.diff(np.append(start, n))
        of_step = np.repeat(np.arange(len(start)), size)
        return cls(start, size, of_step, np.arange(n) - start[of_step])
