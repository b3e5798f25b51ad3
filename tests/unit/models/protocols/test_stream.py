"""As one serves: in order of time, among what exists."""

from __future__ import annotations

import numpy as np

from models.metrics.ranks import open_items
from models.protocols import stream, temporal
from tests.unit.models.protocols.rows import build, names


def test_stream_is_temporal_in_time_order_among_the_items_that_exist() -> None:
    rows = [("ann", "a", f"i{at}", at) for at in range(1, 8)]
    rows += [("bob", "a", "i1", 9), ("bob", "a", "new", 10), ("ann", "a", "i2", 8)]
    table = build(rows, items=2)
    split, same = stream(table), temporal(table)
    assert names(split, split.test.row) == ["new"]
    assert sorted(split.validation.row) == sorted(same.validation.row)
    assert np.all(np.diff(table.time_ms[split.validation.row]) >= 0)
    np.testing.assert_array_equal(split.train, same.train)
    exist = open_items(split.test, table, len(table.items[0]))[0]
    known = {name for name, there in zip(table.items[0].ids, exist, strict=True) if there}
    # Bob's own i1 is no candidate; "more 0" never had an event; "new" appears with this one.
    assert known == {f"i{at}" for at in range(2, 8)} | {"new"}


def test_an_item_that_comes_later_is_no_candidate() -> None:
    rows = [("ann", "a", f"i{at}", at) for at in range(1, 9)]
    rows += [("bob", "a", "i1", 9), ("bob", "a", "late", 10)]
    split = stream(build(rows), validation_share=0.0)
    first = split.test.select(slice(0, 1))
    late = split.table.items[0].ids.index("late")
    assert not open_items(first, split.table, len(split.table.items[0]))[0, late]
