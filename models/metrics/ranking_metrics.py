"""Ranking metrics, exact in expectation where scores are tied.

With one relevant item a metric is a gain that depends on the item's position alone. If t
other candidates share its score, it is equally likely to be at each of t + 1 positions, so
the metric is the mean gain over them: a difference of two cumulated gains.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.metrics.ranks import Int64, Ranks

Float64 = npt.NDArray[np.float64]

CUTOFFS: Final = (5, 10, 20)
METRICS: Final = (*(f"{name}@{k}" for name in ("hr", "ndcg") for k in CUTOFFS), "mrr")


def case_metrics(ranks: Ranks) -> dict[str, Float64]:
    """Every metric of ``METRICS`` for each case, float64 [n].

    With one relevant item, HR@k is also recall@k, and the ideal DCG is 1.
    """
    size = int((ranks.above + ranks.tied).max(initial=0)) + 1
    position = np.arange(1, size + 1, dtype=np.float64)
    gains = {"mrr": 1 / position}
    for k in CUTOFFS:
        gains[f"hr@{k}"] = (position <= k).astype(np.float64)
        gains[f"ndcg@{k}"] = np.where(position <= k, 1 / np.log2(1 + position), 0.0)
    return {name: _mean_gain(gains[name], ranks) for name in METRICS}


def _mean_gain(gain: Float64, ranks: Ranks) -> Float64:
    """Mean of ``gain`` over the positions ``above .. above + tied`` of each case."""
    total = np.concatenate([[0.0], np.cumsum(gain)])
    share: Float64 = (total[ranks.above + ranks.tied + 1] - total[ranks.above]) / (ranks.tied + 1)
    return share


def coverage(lists: Int64, items: int) -> float:
    """Share of a catalogue of ``items`` that at least one of the top lists [n, k] shows.

    Entries below 0 are empty.
    """
    return len(np.unique(lists[lists >= 0])) / items if items else 0.0


def self_information(lists: Int64, counts: Int64) -> float:
    """Mean of -log2 p(item) over all entries of the top lists [n, k], in bits.

    p is the item's share of the training events, with one event added to each item, so that
    an item without events has a finite value. Low values mean popular recommendations
    (Zhou et al., PNAS 2010).
    """
    shown = lists[lists >= 0]
    if not len(shown):
        return 0.0
    share = (counts + 1) / (counts.sum() + len(counts))
    return float(-np.log2(share[shown]).mean())


def paired_bootstrap(
    ours: Float64, theirs: Float64, user: Int64, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """How sure it is that one method beats another on the same cases.

    Users are drawn with replacement, not cases: cases of one user aren't independent.

    Args:
        ours: a metric of each case, float64 [n].
        theirs: the same metric of the other method on the same cases.
        user: the user of each case, int64 [n].
        samples: how many times to draw.
        seed: of the draws.

    Returns:
        Ends of the 95% interval of the mean difference, and the share of draws in which
        the difference isn't above zero.
    """
    _, code = np.unique(user, return_inverse=True)
    gain = np.bincount(code, weights=ours - theirs)
    cases = np.bincount(code).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(samples)
    for sample in range(samples):
        drawn = rng.integers(0, len(gain), len(gain))
        means[sample] = gain[drawn].sum() / cases[drawn].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high), float((means <= 0).mean())
