"""A split by time."""

from __future__ import annotations

import pytest

from models.errors import ModelError
from models.protocols import temporal
from tests.unit.models.protocols.rows import build


def test_temporal_cuts_by_time_and_keeps_ties_together() -> None:
    rows = [(f"u{time % 3}", "a", f"i{time}", time) for time in range(1, 10)]
    rows += [("u0", "b", "late", 9)]
    split = temporal(build(rows), train_share=0.6, validation_share=0.2)
    times = split.table.time_ms
    assert sorted(times[split.train]) == [1, 2, 3, 4, 5, 6]
    assert sorted(times[split.validation.row]) == [7, 8]
    assert sorted(times[split.test.row]) == [9, 9]
    assert split.test.candidates is None


def test_temporal_histories_are_strictly_earlier() -> None:
    """Two events at time 9: neither is in the history of the other."""
    rows = [("u", "a", "p", 1), ("u", "a", "q", 5), ("u", "a", "r", 9), ("u", "b", "s", 9)]
    split = temporal(build([*rows, ("v", "a", "p", 2)]), train_share=0.5, validation_share=0.2)
    at_nine = split.table.time_ms[split.test.row] == 9
    assert (split.test.end - split.test.start)[at_nine].tolist() == [2, 2]


def test_temporal_needs_times() -> None:
    with pytest.raises(ModelError, match="no times"):
        temporal(build([("u", "a", "x", 0), ("u", "a", "y", 0)]))
