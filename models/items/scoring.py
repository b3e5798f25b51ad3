"""Scores of all items of a platform by interest vectors, as a recommender makes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.data.table import EventTable
from models.items.trend import Trend
from models.protocols.cases import Cases

Float32 = npt.NDArray[np.float32]


def score_known(interests: Float32, outputs: Float32) -> Float32:
    """float32 [n, N]: dot products; an item without a vector (NaN) comes last (-inf).

    Args:
        interests: float32 [n, V].
        outputs: float32 [N, V].
    """
    known = ~np.isnan(outputs[:, 0])
    scores: Float32 = interests @ np.where(known[:, None], outputs, np.float32(0)).T
    scores[:, ~known] = -np.inf
    return scores


def score_fresh(
    interests: Float32,
    outputs: Float32,
    trend: Trend | None,
    target: int,
    table: EventTable,
    cases: Cases,
) -> Float32:
    """Scores [n, N] of all items of ``target`` with the trend of each case's own time.

    Args:
        interests: float32 [n, V].
        outputs: float32 [N, V]; NaN for an item without a vector.
        trend: counts that replace the last columns; None takes the vectors as they are.
        target: the cases' platform.
        table: what the cases' rows mean.
        cases: n cases.
    """
    if trend is None or not trend.days:
        return score_known(interests, outputs)
    size = outputs.shape[1] - len(trend.days)
    scores = score_known(interests[:, :size], outputs[:, :size])
    trend.add_to(scores, target, table.time_ms[cases.row], interests[:, size:])
    return scores
