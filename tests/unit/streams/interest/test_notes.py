"""Notes of one batch don't reach the next."""

from __future__ import annotations

import numpy as np

from streams.interest.notes import Notes


def test_notes_are_begun_anew() -> None:
    notes = Notes(capacity=8)
    notes.add(1, offset=4, source_ms=50)
    notes.add_all(np.array([2, 3, 2]), np.array([5, 6, 7]), np.array([9, 8, 3]))
    assert notes.end.tolist() == [0, 5, 8, 7, 0, 0, 0, 0]
    assert notes.source_ms.tolist() == [0, 50, 9, 8, 0, 0, 0, 0]
    assert notes.begin() is notes
    assert not notes.end.any()
    assert not notes.source_ms.any()
