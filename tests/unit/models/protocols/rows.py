"""Tables small enough to read, as rows."""

from __future__ import annotations

import numpy as np

from models.data import EventTable
from models.data.table import TableBuilder
from models.protocols.cases import Split

Row = tuple[str, str, str, int]


def build(rows: list[Row], items: int = 0, parts: list[int] | None = None) -> EventTable:
    """Rows are (user, platform, item, time); each platform has also ``items`` more items."""
    builder = TableBuilder()
    for at, (user, platform, item, time) in enumerate(rows):
        builder.add_event(user, platform, 2, item, time, -1 if parts is None else parts[at])
    for platform in ("a", "b"):
        for number in range(items):
            builder.add_item(platform, f"more {number}")
    return builder.build()


def names(split: Split, rows: np.ndarray) -> list[str]:
    table = split.table
    return [table.items[table.platform[at]].ids[table.item[at]] for at in rows]


ANN = [("ann", "a", "x", 1), ("ann", "b", "y", 2), ("ann", "a", "z", 3), ("ann", "b", "v", 4)]


BOB = [("bob", "a", "x", 5), ("bob", "a", "w", 6)]
