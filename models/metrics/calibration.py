"""Can a score be read as a probability that this item is the next one?

A softmax over the candidates makes probabilities of scores. One temperature for each method
and target is chosen on validation by likelihood (temperature scaling, Guo et al., ICML 2017);
on the test cases predicted and observed shares are then compared in bins of probability.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from models.metrics.ranking_metrics import Float64
from models.metrics.ranks import Contest, Int64

# Most candidates have a tiny probability, so the bins are narrow there.
_EDGES: Final = np.array([0, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0])
_TEMPERATURES: Final = np.geomspace(1e-3, 1e2, 41)
# A case whose item the method rules out would make the mean infinite: it counts as 1e-9.
_LEAST_LOG: Final = float(np.log(1e-9))


class Calibration(NamedTuple):
    """How well scores can be read as probabilities.

    Attributes:
        calibration_error: share of the probability that is in the wrong bin, 0 to 1; it is
            half of the summed difference between predicted and observed shares of the bins.
        nll: mean -ln of the probability that the case's own item got, in nats; ln(C) is what
            knowing nothing gets among C candidates.
        temperature: what the scores were divided by.
    """

    calibration_error: float
    nll: float
    temperature: float


def probabilities(candidates: Contest, temperature: float) -> tuple[Float64, Float64]:
    """Softmax over each case's candidates.

    Returns:
        float64 [n, C], 0 for what takes no part, and float64 [n], the log-probability of the
        case's own item.
    """
    rows = np.arange(len(candidates.scores))
    valid = candidates.valid.copy()
    valid[rows, candidates.target] = True
    scores = np.where(valid, candidates.scores.astype(np.float64), -np.inf)
    top = scores.max(axis=1, keepdims=True, initial=-np.inf)
    shifted = (
        np.where(np.isfinite(top), scores - np.where(np.isfinite(top), top, 0), 0) / temperature
    )
    weight = np.where(valid, np.exp(shifted), 0.0)
    total = weight.sum(axis=1)
    own = shifted[rows, candidates.target] - np.log(total)
    return weight / total[:, None], own


def fit_temperature(candidates: Contest) -> float:
    """The temperature under which the cases' own items are likeliest."""
    spread = np.nanstd(np.where(np.isfinite(candidates.scores), candidates.scores, np.nan))
    scale = float(spread) if spread > 0 else 1.0
    means = [
        np.maximum(probabilities(candidates, scale * step)[1], _LEAST_LOG).mean()
        for step in _TEMPERATURES
    ]
    return scale * float(_TEMPERATURES[int(np.argmax(means))])


class Reliability:
    """Adds up predicted and observed shares over blocks of cases."""

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature
        self._predicted = np.zeros(len(_EDGES) - 1)
        self._observed = np.zeros(len(_EDGES) - 1)
        self._log = 0.0
        self._cases = 0

    def add(self, candidates: Contest) -> None:
        """Count one block."""
        share, own = probabilities(candidates, self._temperature)
        self._predicted += np.bincount(_bins(share).ravel(), share.ravel(), len(self._predicted))
        mine = share[np.arange(len(share)), candidates.target]
        self._observed += np.bincount(_bins(mine), minlength=len(self._observed))
        self._log += float(np.maximum(own, _LEAST_LOG).sum())
        self._cases += len(share)

    def result(self) -> Calibration:
        """The figures of all cases so far."""
        cases = max(1, self._cases)
        wrong = np.abs(self._predicted - self._observed).sum() / 2 / cases
        return Calibration(float(wrong), -self._log / cases, self._temperature)


def _bins(share: Float64) -> Int64:
    return np.clip(np.searchsorted(_EDGES, share, side="right") - 1, 0, len(_EDGES) - 2)
