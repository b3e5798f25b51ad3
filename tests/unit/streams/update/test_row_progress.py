"""Notes of one batch don't reach the next."""

from __future__ import annotations

import numpy as np

from streams.update.row_progress import RowProgress


def test_notes_are_begun_anew() -> None:
    row_progress = RowProgress(capacity=8)
    row_progress.add(1, offset=4, source_ms=50)
    row_progress.add_all(np.array([2, 3, 2]), np.array([5, 6, 7]), np.array([9, 8, 3]))
    assert row_progress.end.tolist() == [0, 5, 8, 7, 0, 0, 0, 0]
    assert row_progress.source_ms.tolist() == [0, 50, 9, 8, 0, 0, 0, 0]
    assert row_progress.begin() is row_progress
    assert not row_progress.end.any()
    assert not row_progress.source_ms.any()
