"""What a method of evaluation is, and histories as sparse matrices."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.data.table import EventTable, Int64
from models.errors import ModelError
from models.protocols.cases import Cases, Split

Float32 = npt.NDArray[np.float32]
Sparse: TypeAlias = Any  # scipy.sparse.csr_array; scipy has no type hints


class NotApplicableError(ModelError):
    """The method needs something that the data doesn't have; the message says what."""


class Method(Protocol):
    """A way of ranking a target platform's items from a history."""

    def fit(self, split: Split, seed: int) -> None:
        """Learn from ``split.train``; histories of cases may be looked at, their items not.

        Raises:
            NotApplicableError: the data lacks what the method needs.
        """

    def scores(self, cases: Cases, target: int) -> Float32:
        """float32 [n, N]: a score of every item of the platform ``target`` for each case."""


def history_matrix(split: Split, cases: Cases, decay: float = 1.0) -> Sparse:
    """float32 [n, items of all platforms]: what each history holds.

    An item's weight is ``decay`` to the power of the number of later events in the history,
    at its latest event. With a decay of 1, or where the data has no times and so no order,
    each item of the history has weight 1.
    """
    if not split.table.time_ms.any():
        decay = 1.0
    length = cases.end - cases.start
    case = np.repeat(np.arange(len(cases)), length)
    age = np.repeat(np.cumsum(length), length) - 1 - np.arange(length.sum())
    row = np.repeat(cases.end, length) - 1 - age
    item = split.table.global_item[row]
    shape = (len(cases), int(split.table.item_offsets[-1]))
    key, latest = _latest(case * shape[1] + item)
    weight = np.power(np.float32(decay), age[latest]).astype(np.float32)
    return sparse.csr_array((weight, (key // shape[1], key % shape[1])), shape=shape)


def _latest(key: Int64) -> tuple[Int64, Int64]:
    """Distinct keys, and for each where it stands last."""
    distinct, from_end = np.unique(key[::-1], return_index=True)
    return distinct, len(key) - 1 - from_end


def training_matrix(table: EventTable) -> Sparse:
    """float32 [U, items of all platforms]: 1 where the user has an event on the item."""
    shape = (len(table.users), int(table.item_offsets[-1]))
    key = np.unique(table.user.astype(np.int64) * shape[1] + table.global_item)
    ones = np.ones(len(key), np.float32)
    return sparse.csr_array((ones, (key // shape[1], key % shape[1])), shape=shape)


def columns(table: EventTable, target: int) -> slice:
    """The target's items among the items of all platforms."""
    return slice(int(table.item_offsets[target]), int(table.item_offsets[target + 1]))


def dense(matrix: Any) -> Float32:
    """A sparse product as float32 numpy."""
    made: Float32 = np.asarray(matrix.toarray(), np.float32)
    return made
