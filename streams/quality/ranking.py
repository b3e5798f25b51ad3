"""Where an item ranks among the items of its platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.log.keys import stable_hash

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class RankedItems(Protocol):
    """What ranking has to know of a bundle's item table."""

    @property
    def id_list(self) -> Sequence[str]:
        """N item ids."""

    @property
    def vectors_out(self) -> NDArray[np.float16]:
        """Output vectors [N, V]."""


class Candidates:
    """The items of one platform that an item is ranked among.

    Args:
        items: the platform's items.
        limit: how many at the most; of more, those with the smallest hashes.

    Attributes:
        rows: their rows [n], ascending.
    """

    def __init__(self, items: RankedItems, limit: int) -> None:
        ids = items.id_list
        self.rows: Int64 = np.arange(len(ids))
        if len(ids) > limit:
            hashes = np.array([stable_hash(item) for item in ids], np.uint64)
            self.rows = np.sort(np.argpartition(hashes, limit)[:limit])
        self._out = items.vectors_out
        self._vectors = np.ascontiguousarray(self._out[self.rows], np.float32)

    def ranks(self, vectors: NDArray[np.float32], items: Int64) -> Float64:
        """Rank of each item [n] under its vector [n, V]; ties count half."""
        own = np.einsum("nv,nv->n", vectors, self._out[items].astype(np.float32))
        return rank_of(vectors @ self._vectors.T, own, self.rows == items[:, None])


def rank_of(scores: NDArray[Any], own: NDArray[Any], itself: NDArray[np.bool_]) -> Float64:
    """Rank of a score [n] among others [n, m], without the item itself; ties count half."""
    above = ((scores > own[:, None]) & ~itself).sum(axis=1)
    tied = ((scores == own[:, None]) & ~itself).sum(axis=1)
    ranks: Float64 = 1.0 + above + tied / 2.0
    return ranks
