"""Figures that follow what is served now, and how many cases may be judged for them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.quality.judge import TOP

HALF_LIFE: Final = 500.0
"""Cases after which one counts half in the running figures."""
Ranks = NDArray[np.float64]


@dataclass(slots=True)
class RunningFigures:
    """Figures that follow what is served now.

    Attributes:
        cases: how many there have been.
        hit_rate: share of items that rank among the first ten.
        mrr: mean reciprocal rank.
    """

    cases: int = 0
    hit_rate: float = 0.0
    mrr: float = 0.0
    _weight: float = 0.0

    def add(self, ranks: Ranks) -> None:
        """More cases; the older ones fade."""
        fade = 2.0 ** (-len(ranks) / HALF_LIFE)
        self.cases += len(ranks)
        before, self._weight = self._weight * fade, self._weight * fade + len(ranks)
        hits, reciprocal = int((ranks <= TOP).sum()), float((1.0 / ranks).sum())
        self.hit_rate = (self.hit_rate * before + hits) / self._weight
        self.mrr = (self.mrr * before + reciprocal) / self._weight


@dataclass(slots=True)
class RateLimit:
    """So many a second, saved up for a second at the most."""

    per_second: float
    left: float = 0.0
    at: float = field(default_factory=time.monotonic)

    def take(self, wanted: int) -> int:
        """How many of the wanted there may be now."""
        now = time.monotonic()
        self.left = min(max(1.0, self.per_second), self.left + (now - self.at) * self.per_second)
        self.at = now
        granted = min(wanted, int(self.left))
        self.left -= granted
        return granted
