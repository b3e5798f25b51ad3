"""What is popular lately: the ranking that live vectors are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from streams.quality.ranking import Int64, rank_of

HEAVY: Final = 1e100


class Popularity:
    """How often each item occurred lately: counts that fade with every event of the platform.

    Args:
        sizes: items of each platform.
        half_life: events of a platform after which one counts half.
    """

    def __init__(self, sizes: Sequence[int], half_life: float) -> None:
        self._counts = [np.zeros(size) for size in sizes]
        self._weight = [1.0] * len(sizes)
        self._half_life = half_life

    def count(self, platform: Int64, items: Int64) -> None:
        """Events [n] in order; items that the bundle doesn't have are left out."""
        for number, counts in enumerate(self._counts):
            of_platform = items[platform == number]
            of_platform = of_platform[of_platform < len(counts)]
            if not len(of_platform):
                continue
            np.add.at(counts, of_platform, self._weight[number])
            self._weight[number] *= 2.0 ** (len(of_platform) / self._half_life)
            if self._weight[number] > HEAVY:
                counts /= self._weight[number]
                self._weight[number] = 1.0

    def rank(self, platform: int, item: int, among: Int64) -> float:
        """Rank of an item among others (rows), without itself."""
        counts = self._counts[platform]
        own = np.array([counts[item]])
        return float(rank_of(counts[among][None], own, (among == item)[None])[0])

    def carry(self, platform: int, rows: Int64, before: Popularity, old: Int64) -> None:
        """Begin with what another bundle's counts (rows ``old``) say of the same items."""
        counts, weight = before._counts[platform], before._weight[platform]
        self._counts[platform][rows] = counts[old] / weight
