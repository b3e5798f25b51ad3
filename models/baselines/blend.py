"""A weighted sum of methods: what one doesn't know, another may.

With recent popularity among its parts it is also the fallback chain of a live service: a
part that says nothing about a case (no history, no title) scores all items alike, and what
is left decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.baselines.base import Float32, Method, NotApplicableError
from models.data.table import Int64
from models.metrics.ranking_metrics import Float64, case_metrics
from models.metrics.ranks import rank_cases
from models.protocols.cases import Cases, Split

_WEIGHTS: Final = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
_ROUNDS: Final = 2
# Validation cases that the weights are chosen on, and scores of one part kept for it.
_SAMPLE: Final = 1000
_KEPT_SCORES: Final = 20_000_000


class Blend:
    """Standardised scores of several methods, weighted for each target platform.

    Weights are chosen on validation cases, one method after the other, by NDCG@10. A part
    that the data doesn't allow is left out.

    Attributes:
        weights: after ``fit``, target platform's code to a weight of each part that is left.
    """

    def __init__(self, parts: Sequence[Method]) -> None:
        self._given = parts
        self.weights: dict[int, Float64] = {}

    def fit(self, split: Split, seed: int) -> None:
        """Fit the parts and choose the weights.

        Raises:
            NotApplicableError: no part fits the data.
        """
        self._parts: list[Method] = []
        self.weights = {}
        reasons = []
        for part in self._given:
            try:
                part.fit(split, seed)
                self._parts.append(part)
            except NotApplicableError as reason:
                reasons.append(str(reason))
        if not self._parts:
            raise NotApplicableError("; ".join(reasons))
        rng = np.random.default_rng(seed)
        targets = split.targets(split.validation)
        for target in np.unique(targets):
            rows = rng.permutation(np.flatnonzero(targets == target))
            self.weights[int(target)] = self._choose(split, int(target), rows)

    def scores(self, cases: Cases, target: int) -> Float32:
        """The weighted sum; equal weights where validation had no case of the target."""
        weights = self.weights.get(target, np.ones(len(self._parts)))
        return _weighted([_standard(part.scores(cases, target)) for part in self._parts], weights)

    def _choose(self, split: Split, target: int, rows: Int64) -> Float64:
        """Weights by coordinate ascent from equal ones, over at most ``_SAMPLE`` cases."""
        sample = min(_SAMPLE, _KEPT_SCORES // max(1, len(split.table.items[target])))
        cases = split.validation.select(np.sort(rows[: max(1, sample)]))
        parts = [_standard(part.scores(cases, target)) for part in self._parts]

        def quality(weights: Float64) -> float:
            ranks = rank_cases(_weighted(parts, weights), cases, split.table)
            return float(case_metrics(ranks)["ndcg@10"].mean())

        weights = np.ones(len(parts))
        for _ in range(_ROUNDS if len(parts) > 1 else 0):
            for at in range(len(parts)):
                tried = [_replaced(weights, at, weight) for weight in _WEIGHTS]
                weights = max(tried, key=quality)
        return weights


def _weighted(parts: Sequence[Float32], weights: Float64) -> Float32:
    total = np.zeros_like(parts[0])
    for weight, scores in zip(weights, parts, strict=True):
        if weight:
            total += np.float32(weight) * scores
    return total


def _replaced(weights: Float64, at: int, weight: float) -> Float64:
    made = weights.copy()
    made[at] = weight
    return made


def _standard(scores: Float32) -> Float32:
    """Each row with mean 0 and deviation 1; -inf becomes the row's least, a flat row 0."""
    known = np.isfinite(scores)
    least = np.where(known, scores, np.inf).min(axis=1, keepdims=True)
    filled = np.where(known, scores, np.where(np.isfinite(least), least, 0))
    spread = filled.std(axis=1, keepdims=True)
    made: Float32 = (filled - filled.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    return made.astype(np.float32)
