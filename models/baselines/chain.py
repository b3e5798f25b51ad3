"""The fallback chain of serving: vectors for whom something is known, else something common."""

from __future__ import annotations

import numpy as np

from models.baselines.base import Float32, Method
from models.protocols.cases import Cases, Split


class Chain:
    """One method for people with a history, another for those about whom nothing is known.

    A worker publishes no vector of a person without events, so a recommender needs another
    answer for them; with ``pop-30d`` as that answer, this is what people really get.
    """

    def __init__(self, known: Method, unknown: Method) -> None:
        self._known, self._unknown = known, unknown

    def fit(self, split: Split, seed: int) -> None:
        """Fit both.

        Raises:
            NotApplicableError: the data lacks what one of them needs.
        """
        self._known.fit(split, seed)
        self._unknown.fit(split, seed)

    def scores(self, cases: Cases, target: int) -> Float32:
        """float32 [n, N]: each case by the method for it."""
        some = cases.end > cases.start
        if some.all():
            return self._known.scores(cases, target)
        without = np.asarray(self._unknown.scores(cases.select(~some), target), np.float32)
        made = np.empty((len(cases), without.shape[1]), np.float32)
        made[~some] = without
        if some.any():
            made[some] = self._known.scores(cases.select(some), target)
        return made
