"""Neighbourhood methods: item-kNN and user-kNN, with cosine similarity of who acted on what."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.baselines.base import Float32, Sparse, columns, dense, history_matrix, training_matrix
from models.protocols.cases import Cases, Split


class ItemKnn:
    """Items that the same people acted on, across platforms (Sarwar et al., WWW 2001).

    The similarity of two items is the number of training users with both, divided by
    ``sqrt(n_i n_j) + shrink``; a candidate's score is the sum over the history, where an
    event counts ``decay`` for each later one.
    """

    def __init__(self, shrink: float = 30.0, decay: float = 0.8) -> None:
        self._shrink, self._decay = shrink, decay

    def fit(self, split: Split, seed: int) -> None:
        """Count the users of each pair of items."""
        del seed
        self._split = split
        users = training_matrix(split.training)
        counts = np.asarray(users.sum(axis=0)).ravel()
        both = sparse.coo_array(users.T @ users)
        other = both.row != both.col
        row, col = both.row[other], both.col[other]
        norm = np.sqrt(counts[row] * counts[col]) + self._shrink
        self._similar: Sparse = sparse.csr_array(
            ((both.data[other] / norm).astype(np.float32), (row, col)), shape=both.shape
        )

    def scores(self, cases: Cases, target: int) -> Float32:
        """Sum of the similarities to the items of the history."""
        history = history_matrix(self._split, cases, self._decay)
        return dense(history @ self._similar[:, columns(self._split.table, target)])


class UserKnn:
    """What the users with the most similar histories acted on.

    The similarity of a history, where an event counts ``decay`` for each later one, and of a
    training user's set of items is their cosine, over all platforms; the ``neighbours`` most
    similar users vote with it. A case's own user doesn't vote: what they did is the history
    already.
    """

    def __init__(self, neighbours: int = 500, decay: float = 0.8) -> None:
        self._neighbours, self._decay = neighbours, decay

    def fit(self, split: Split, seed: int) -> None:
        """Keep the training users' items."""
        del seed
        self._split = split
        self._users = training_matrix(split.training)
        length = np.sqrt(np.asarray(self._users.sum(axis=1)).ravel())
        self._length = np.maximum(length, 1).astype(np.float32)

    def scores(self, cases: Cases, target: int) -> Float32:
        """Sum of the similarities of the neighbours who acted on the item."""
        history = history_matrix(self._split, cases, self._decay)
        similar = dense(history @ self._users.T) / self._length
        similar[np.arange(len(cases)), self._split.table.user[cases.row]] = 0
        if similar.shape[1] > self._neighbours:
            least = np.partition(similar, -self._neighbours, axis=1)[:, -self._neighbours, None]
            similar[similar < least] = 0
        votes = sparse.csr_array(similar)
        return dense(votes @ self._users[:, columns(self._split.table, target)])
