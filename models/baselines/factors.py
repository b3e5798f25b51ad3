"""Matrix factorisation, and the moving average of item vectors."""

from __future__ import annotations

import numpy as np
from scipy.sparse import linalg

from models.baselines.base import Float32, columns, history_matrix, training_matrix
from models.protocols.cases import Cases, Split


def item_factors(split: Split, rank: int, seed: int) -> Float32:
    """float32 [items of all platforms, rank]: right singular vectors of users by items.

    Users weigh less the more items they have (``1 / sqrt(items)``), so that a few very
    active people don't make the factors.
    """
    users = training_matrix(split.training)
    length = np.sqrt(np.maximum(np.asarray(users.sum(axis=1)).ravel(), 1))
    users = users.multiply(1 / length[:, None]).tocsr()
    rank = max(1, min(rank, *(size - 1 for size in users.shape)))
    start = np.random.default_rng(seed).standard_normal(min(users.shape))
    _, _, right = linalg.svds(users.astype(np.float64), k=rank, v0=start)
    factors: Float32 = np.ascontiguousarray(right.T, np.float32)
    return factors


class PureSvd:
    """Matrix factorisation by truncated SVD (PureSVD, Cremonesi et al., RecSys 2010).

    A history is folded in, so a user needs no training events: scores are ``h V V'``.
    """

    def __init__(self, rank: int = 64, decay: float = 0.8) -> None:
        self._rank, self._decay = rank, decay

    def fit(self, split: Split, seed: int) -> None:
        """Factorise users by items of the training part."""
        self._split = split
        self._factors = item_factors(split, self._rank, seed)

    def scores(self, cases: Cases, target: int) -> Float32:
        """Projection of the history on the items."""
        user = history_matrix(self._split, cases, self._decay) @ self._factors
        scores: Float32 = user @ self._factors[columns(self._split.table, target)].T
        return scores


class MovingAverage(PureSvd):
    """Cosine of an item's vector and the moving average of the history's item vectors.

    The cheapest state that is updated in one step per event:
    ``state = decay * state + vector``, with the SVD's item vectors at unit length.
    """

    def fit(self, split: Split, seed: int) -> None:
        """Make the item vectors."""
        super().fit(split, seed)
        length = np.linalg.norm(self._factors, axis=1, keepdims=True)
        self._factors = self._factors / np.maximum(length, np.float32(1e-9))
