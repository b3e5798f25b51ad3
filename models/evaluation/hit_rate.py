"""The hit rate of interest vectors on test events: one definition, offline and live.

A replay collects the last vector that was published before each test event and puts it in
here; offline (``ServedBundle``) the same bundle steps through the same histories. Both see the
same candidates (``models.protocols.abxi`` with one seed), so the two figures differ only by what
serving did.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.evaluation.served import Float32
from models.items.scoring import score_fresh
from models.items.trend import Trend
from models.metrics.ranking_metrics import case_metrics
from models.metrics.ranks import Ranks, rank_cases
from models.protocols.cases import Cases, Split

_BLOCK = 256


def rank_interests(
    interests: Float32,
    outputs: Sequence[Float32],
    split: Split,
    cases: Cases,
    trend: Trend | None = None,
) -> Ranks:
    """Rank each case's item by the interest vector that the user had before it.

    Args:
        interests: float32 [n, V], for each case the user's vector for its target platform.
        outputs: for each platform of the table its items' output vectors, float32 [N, V];
            NaN where an item has none (``ServedBundle.outputs``).
        split: what the cases belong to.
        cases: n cases.
        trend: counts of recent events, which replace the vectors' last columns; None takes
            the vectors as they are.

    Raises:
        ModelError: a score is NaN.
    """
    above, tied = np.zeros(len(cases), np.int64), np.zeros(len(cases), np.int64)
    targets = split.targets(cases)
    for target in np.unique(targets):
        of_target = np.flatnonzero(targets == target)
        for begin in range(0, len(of_target), _BLOCK):
            at = of_target[begin : begin + _BLOCK]
            some = cases.select(at)
            scores = score_fresh(
                interests[at], outputs[target], trend, int(target), split.table, some
            )
            ranks = rank_cases(scores, some, split.table)
            above[at], tied[at] = ranks.above, ranks.tied
    return Ranks(above, tied)


def hit_rates(ranks: Ranks, split: Split, cases: Cases, metric: str = "hr@10") -> dict[str, float]:
    """Mean of a metric by target platform, and under ``all`` over all cases."""
    values = case_metrics(ranks)[metric]
    targets = split.targets(cases)
    rates = {
        name: float(values[targets == at].mean())
        for at, name in enumerate(split.table.platforms)
        if (targets == at).any()
    }
    return rates | {"all": float(values.mean())} if len(values) else {}
