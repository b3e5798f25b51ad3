"""How unequal users are spread over partitions, by simulation (docs/scale.md)."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

RANKS: Final = 200_000
"""Users that are placed one by one; the rest is spread evenly, as a law of large numbers has it."""
DRAWS: Final = 20


@cache
def total_weight(users: float, skew: float) -> float:
    """Sum of rank^-skew over all users: the first ranks summed, the rest integrated."""
    counted = int(min(users, RANKS))
    head = float((np.arange(1, counted + 1, dtype=np.float64) ** -skew).sum())
    if users <= counted:
        return head
    if skew == 1.0:
        return head + float(np.log(users / counted))
    return head + float(users ** (1 - skew) - counted ** (1 - skew)) / (1 - skew)


def hottest_user(users: float, skew: float) -> float:
    """Share of all events that the busiest user has."""
    return 1.0 / total_weight(users, skew)


@cache
def hottest_partition(users: float, partitions: int, skew: float) -> float:
    """Share of all events in the hottest partition: median of some random placements."""
    counted = int(min(users, RANKS))
    weights = np.arange(1, counted + 1, dtype=np.float64) ** -skew
    total = total_weight(users, skew)
    rest = (total - float(weights.sum())) / partitions
    random = np.random.default_rng(0)
    hottest = [
        float(
            np.bincount(
                random.integers(0, partitions, counted), weights=weights, minlength=partitions
            ).max()
        )
        for _ in range(DRAWS)
    ]
    return (float(np.median(hottest)) + rest) / total
