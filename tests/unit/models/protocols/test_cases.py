"""Groups of cases."""

from __future__ import annotations

from models.protocols import temporal
from models.protocols.cases import GROUPS
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
