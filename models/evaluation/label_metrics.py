"""How good labels are: multi-label prediction of what comes next, and whether shares hold.

A case's truth is the label of its item. A label is predicted where its share is at least a
threshold, chosen on validation by F1; the yardstick is the user's own past: how often each
label came in the history, and in everybody's training events where there is no history.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.table import Int64
from models.evaluation.served import ServedBundle
from models.labels import F32, Labels
from models.metrics.ranking_metrics import Float64
from models.protocols.cases import Cases, Split

_THRESHOLDS: Final = np.concatenate([np.arange(0.02, 0.2, 0.02), np.arange(0.2, 0.75, 0.05)])
_BINS: Final = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0])


class LabelFigures(NamedTuple):
    """Figures over n cases and L labels.

    Attributes:
        precision: of the predicted labels, the share that came.
        recall: of what came, the share that was predicted.
        f1: their harmonic mean.
        roc_auc: probability that what came has a higher share than what didn't, all labels
            together.
        calibration_error: mean difference between shares and how often they came, by bins of
            the share, weighted by share.
        threshold: from which share on a label is predicted.
    """

    precision: float
    recall: float
    f1: float
    roc_auc: float
    calibration_error: float
    threshold: float


def label_figures(bundle: ServedBundle, split: Split, cases: Cases) -> dict[str, dict[str, object]]:
    """Target -> ``vectors`` and ``past`` -> figures, for each target with labels and cases.

    Args:
        bundle: fitted to the split.
        split: whose validation cases choose the thresholds.
        cases: to report.
    """
    made: dict[str, dict[str, object]] = {}
    for p, name in enumerate(split.table.platforms):
        labels = bundle.labels.get(name)
        if labels is None:
            continue
        item = bundle.item_labels(split.table, p, labels)
        parts = [_labelled(split, some, p, item) for some in (split.validation, cases)]
        if all(len(some) for some in parts):
            made[name] = {"labels": len(labels.names), "cases": len(parts[1])}
            made[name] |= _both(bundle, split, p, labels, item, parts)
    return made


def _both(
    bundle: ServedBundle, split: Split, p: int, labels: Labels, item: Int64, parts: list[Cases]
) -> dict[str, dict[str, float]]:
    truth = [item[split.table.item[some.row]] for some in parts]
    vectors = [labels.shares(bundle.interests(some, p)) for some in parts]
    past = [past_shares(split, some, p, item, len(labels.names)) for some in parts]
    return {
        name: figures(check, truth[0], test, truth[1])._asdict()
        for name, (check, test) in (("vectors", vectors), ("past", past))
    }


def _labelled(split: Split, cases: Cases, p: int, item: Int64) -> Cases:
    mine = cases.select(split.targets(cases) == p)
    return mine.select(item[split.table.item[mine.row]] >= 0)


def past_shares(split: Split, cases: Cases, p: int, item: Int64, count: int) -> F32:
    """How often each label came in the histories: float32 [n, L]."""
    table = split.table
    label = np.where(table.platform == p, item[np.where(table.platform == p, table.item, 0)], -1)
    usual = np.bincount(label[split.train & (label >= 0)], minlength=count)
    length = cases.end - cases.start
    case = np.repeat(np.arange(len(cases)), length)
    row = np.repeat(cases.end - np.cumsum(length), length) + np.arange(length.sum())
    known = label[row] >= 0
    shares = np.zeros((len(cases), count), np.float32)
    np.add.at(shares, (case[known], label[row[known]]), np.float32(1))
    total = shares.sum(axis=1, keepdims=True)
    made: F32 = np.where(total > 0, shares / np.maximum(total, 1), usual / max(1, usual.sum()))
    return made.astype(np.float32)


def figures(check: F32, check_truth: Int64, shares: F32, truth: Int64) -> LabelFigures:
    """Figures of shares [n, L] against what came [n]; the threshold comes from the first two."""
    scored = [(_f1(check, check_truth, at)[2], -at) for at in _THRESHOLDS.tolist()]
    threshold = -max(scored)[1]
    precision, recall, f1 = _f1(shares, truth, threshold)
    came = np.zeros(shares.shape, bool)
    came[np.arange(len(truth)), truth] = True
    return LabelFigures(
        precision, recall, f1, roc_auc(shares.ravel(), came.ravel()),
        calibration_error(shares, came), threshold,
    )  # fmt: skip


def _f1(shares: F32, truth: Int64, threshold: float) -> tuple[float, float, float]:
    predicted = shares >= threshold
    right = int(predicted[np.arange(len(truth)), truth].sum())
    precision, recall = right / max(1, int(predicted.sum())), right / max(1, len(truth))
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def roc_auc(scores: F32, came: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve, ties counting half (the Mann-Whitney statistic)."""
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank: Float64 = np.cumsum(counts) - (counts - 1) / 2  # mean rank of equal scores, from 1
    positives = int(came.sum())
    negatives = len(came) - positives
    if not positives or not negatives:
        return 0.5
    above = rank[group][came].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def calibration_error(shares: F32, came: npt.NDArray[np.bool_]) -> float:
    """Share of the shares that lies in a wrong bin, as in ``models.metrics.calibration``."""
    bin_ = np.clip(np.searchsorted(_BINS, shares.ravel(), side="right") - 1, 0, len(_BINS) - 2)
    said = np.bincount(bin_, shares.ravel().astype(np.float64), len(_BINS) - 1)
    was = np.bincount(bin_, came.ravel().astype(np.float64), len(_BINS) - 1)
    return float(np.abs(said - was).sum() / 2 / len(shares))
