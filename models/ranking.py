"""Where an item ranks among candidates: one definition for offline and live evaluation.

Equal scores are no order. A rank is therefore a pair: how many candidates score higher, and
how many others score the same; metrics take the mean over all orders of the tied ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.errors import ModelError

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Floating = npt.NDArray[np.floating]


class Ranks(NamedTuple):
    """Ranks of n targets, each among its own candidates.

    Attributes:
        above: int64 [n], candidates with a higher score.
        tied: int64 [n], other candidates with exactly the target's score.
    """

    above: Int64
    tied: Int64

    @property
    def expected(self) -> npt.NDArray[np.float64]:
        """float64 [n]: mean rank over all orders of the tied ones, 0 is the best."""
        return self.above + self.tied / 2


def rank_scores(
    scores: Floating, target: Int64 | int, valid: npt.NDArray[np.bool_] | None = None
) -> Ranks:
    """Rank one candidate of each row.

    Args:
        scores: [n, C], higher is better.
        target: position of the target among the candidates, one for all or int64 [n].
        valid: bool [n, C], candidates that take part; None means all. The target always
            takes part.

    Raises:
        ModelError: a score is NaN.
    """
    if np.isnan(scores).any():
        raise ModelError("a score is NaN, so nothing can be ranked; check the model's outputs")
    rows = np.arange(len(scores))
    own = scores[rows, target][:, None]
    higher, same = scores > own, scores == own
    if valid is not None:
        higher, same = higher & valid, same & valid
    same[rows, target] = False
    return Ranks(higher.sum(axis=1), same.sum(axis=1))


def rank_vector(interest: Floating, candidates: Floating, target: Int64 | int = 0) -> Ranks:
    """Rank items by their dot product with an interest vector.

    Args:
        interest: [V] or [n, V], interest vectors of n users.
        candidates: [C, V] output vectors of items, the same for all, or [n, C, V].
        target: position of the target among the candidates, one for all or int64 [n].

    Returns:
        n ranks (1 for a single vector).
    """
    vectors = np.atleast_2d(np.asarray(interest, np.float32))
    return rank_scores(score_items(vectors, candidates), target)


def score_items(interest: Float32, candidates: Floating) -> Float32:
    """Dot products in float32: [n, V] and [C, V] (or [n, C, V]) make [n, C]."""
    items = np.asarray(candidates, np.float32)
    if items.ndim == 2:
        shared: Float32 = interest @ items.T
        return shared
    own: Float32 = np.matmul(items, interest[:, :, None])[:, :, 0]
    return own
