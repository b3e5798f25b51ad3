"""Content similarity: items with the words of the history."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy import sparse

from models.baselines.base import (
    Float32,
    NotApplicableError,
    Sparse,
    columns,
    dense,
    history_matrix,
)
from models.data.table import EventTable
from models.items.projector import tokens
from models.protocols.cases import Cases, Split


def text_matrix(table: EventTable) -> Sparse:
    """float32 [items of all platforms, words]: TF-IDF of titles and categories, unit rows."""
    words: dict[str, int] = {}
    rows, cols, counts = [], [], []
    for item, text in enumerate(_texts(table)):
        for word, count in Counter(tokens(text)).items():
            rows.append(item)
            cols.append(words.setdefault(word, len(words)))
            counts.append(1 + np.log(count))
    shape = (int(table.item_offsets[-1]), len(words))
    matrix = sparse.csr_array((np.array(counts, np.float32), (rows, cols)), shape=shape)
    spread = np.log(shape[0] / np.maximum(np.bincount(cols, minlength=len(words)), 1))
    matrix = matrix.multiply(spread.astype(np.float32)[None, :]).tocsr()
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scaled: Sparse = matrix.multiply(1 / np.maximum(length, 1e-9)[:, None]).tocsr()
    return scaled.astype(np.float32)


def _texts(table: EventTable) -> list[str]:
    return [
        f"{title} {category}".strip()
        for items in table.items
        for title, category in zip(items.titles, items.categories, strict=True)
    ]


class ContentSimilarity:
    """Cosine of an item's words and the words of the history (recent events count more)."""

    def __init__(self, decay: float = 0.8) -> None:
        self._decay = decay

    def fit(self, split: Split, seed: int) -> None:
        """Weigh the words.

        Raises:
            NotApplicableError: no item has a title or a category.
        """
        del seed
        if not any(_texts(split.table)):
            raise NotApplicableError("no item has a title or a category")
        self._split, self._text = split, text_matrix(split.table)

    def scores(self, cases: Cases, target: int) -> Float32:
        """Sum of the cosines to the history's items."""
        history = history_matrix(self._split, cases, self._decay)
        return dense((history @ self._text) @ self._text[columns(self._split.table, target)].T)
