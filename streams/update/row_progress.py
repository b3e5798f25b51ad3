"""What a batch has seen of each row: how far the log, and the newest source record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


class RowProgress:
    """What one batch has seen of a slab's rows; the next begins anew (:meth:`begin`).

    Args:
        capacity: rows of the slab.

    Attributes:
        end: offset after the last record that the row has seen in this batch, 0 where it has
            seen none; int64 [capacity].
        source_ms: newest Kafka timestamp of the source records behind it, 0 where there is
            none; int64 [capacity].
    """

    def __init__(self, capacity: int) -> None:
        self.end = np.zeros(capacity, np.int64)
        self.source_ms = np.zeros(capacity, np.int64)
        self._seen: list[int | Int64] = []

    def begin(self) -> RowProgress:
        """Forget what the batch before saw: of its rows, which are few beside the slab's."""
        for rows in self._seen:
            self.end[rows] = self.source_ms[rows] = 0
        self._seen.clear()
        return self

    def add(self, row: int, offset: int, source_ms: int) -> None:
        """The row has seen the log up to ``offset``."""
        self._seen.append(row)
        self.end[row] = offset + 1
        self.source_ms[row] = max(self.source_ms[row], source_ms)

    def add_all(self, rows: Int64, offsets: Int64, source_ms: Int64) -> None:
        """:meth:`add` for records in the log's order."""
        self._seen.append(rows)
        self.end[rows] = offsets + 1  # of a row's records the last one counts
        np.maximum.at(self.source_ms, rows, source_ms)

    def forget(self, row: int) -> None:
        """The row's user is gone; the row may have another soon."""
        self.end[row] = self.source_ms[row] = 0
