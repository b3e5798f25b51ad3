"""Settings of a baseline, chosen for each target on validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np

from models.baselines.base import Float32
from models.metrics.ranking_metrics import case_metrics
from models.metrics.ranks import rank_cases
from models.protocols.cases import Cases, Split

Setting = TypeVar("Setting")
SAMPLE: Final = 1000
"""Validation cases of a target that a setting is chosen on."""
BLOCK: Final = 256


def best_on_validation(
    split: Split, settings: Sequence[Setting], scores: Callable[[Cases, int, Setting], Float32]
) -> dict[int, Setting]:
    """Target platform's code -> the setting with the best NDCG@10 on a sample of validation.

    Args:
        split: whose validation cases.
        settings: what there is to choose from; of equals the first one wins.
        scores: scores [n, N] of n cases of a target under a setting.
    """
    rng = np.random.default_rng(0)
    targets = split.targets(split.validation)
    chosen = {}
    for target in np.unique(targets).tolist():
        rows = np.sort(rng.permutation(np.flatnonzero(targets == target))[:SAMPLE])
        cases = split.validation.select(rows)
        quality = [_quality(split, cases, target, one, scores) for one in settings]
        chosen[target] = settings[int(np.argmax(quality))]
    return chosen


def _quality(
    split: Split,
    cases: Cases,
    target: int,
    setting: Setting,
    scores: Callable[[Cases, int, Setting], Float32],
) -> float:
    total = 0.0
    for begin in range(0, len(cases), BLOCK):
        block = cases.select(slice(begin, begin + BLOCK))
        ranks = rank_cases(scores(block, target, setting), block, split.table)
        total += float(case_metrics(ranks)["ndcg@10"].sum())
    return total / len(cases)
