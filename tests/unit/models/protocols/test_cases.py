"""Groups of cases, and some of them."""

from __future__ import annotations

import numpy as np

from models.protocols import temporal
from models.protocols.cases import GROUPS, Cases
from tests.unit.models.protocols.rows import build


def test_groups_of_temporal() -> None:
    rows = [("t", "a", "x", 1), ("t", "b", "y", 2), ("u", "a", "x", 3), ("u", "b", "y", 3)]
    rows += [("w", "a", "x", 4)]
    rows += [("u", "a", "x", 10), ("w", "b", "y", 10), ("z", "a", "x", 10), ("t", "a", "new", 10)]
    split = temporal(build(rows), train_share=0.5, validation_share=0.0)
    table, groups = split.table, split.groups(split.test)
    found = {
        table.users[table.user[row]]: GROUPS[group]
        for row, group in zip(split.test.row, groups, strict=True)
    }
    assert found == {"u": "warm", "w": "new to target", "z": "no history", "t": "new item"}


def test_some_cases_are_drawn_the_same_way_each_time() -> None:
    rows = np.arange(40)
    cases = Cases(rows, rows, rows, None)
    drawn = cases.sample(10, 0)
    assert len(drawn) == 10
    assert (np.diff(drawn.row) > 0).all()
    assert np.array_equal(drawn.row, cases.sample(10, 0).row)
    assert cases.sample(10_000, 0) is cases
