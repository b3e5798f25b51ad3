"""The items that a case's own item is ranked among, drawn at random."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.data.table import EventTable, Int32, Int64
from models.protocols.cases import Bool

NEGATIVES: Final = 999


def draw_candidates(
    table: EventTable,
    row: Int64,
    excluded: Bool,
    rng: np.random.Generator,
    negatives: int = NEGATIVES,
) -> Int32:
    """int32 [n, negatives + 1]: the case's item, then random ones of its platform.

    Items of the same user in rows where ``excluded`` holds aren't drawn. A platform that
    has too few items gives fewer candidates (-1).
    """
    starts = table.user_starts
    drawn = np.full((len(row), negatives + 1), -1, np.int32)
    drawn[:, 0] = table.item[row]
    for at, (target, person) in enumerate(zip(table.platform[row], table.user[row], strict=True)):
        own = slice(starts[person], starts[person + 1])
        keep = excluded[own] & (table.platform[own] == target)
        banned = np.append(table.item[own][keep], drawn[at, 0])
        found = draw_without(rng, len(table.items[target]), banned, negatives)
        drawn[at, 1 : 1 + len(found)] = found
    return drawn


def draw_without(rng: np.random.Generator, size: int, banned: Int32, count: int) -> Int64:
    """At most ``count`` different numbers below ``size``, uniform among those not banned."""
    banned = np.unique(banned)
    drawn = rng.choice(size, min(size, count + len(banned)), replace=False)
    return drawn[~np.isin(drawn, banned)][:count]
