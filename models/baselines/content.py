"""Methods that look at what items are: content similarity, and rules between categories."""

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
    training_matrix,
)
from models.data.table import EventTable, Int64
from models.projector import tokens
from models.protocols import Cases, Split


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


class CategoryRules:
    """Category to category: who acts on A also acts on B, learned from training users.

    A rule's strength is P(user acts on B | acts on A) (confidence); a candidate's score is
    the mean strength of the rules from the history's categories to its own, and inside a
    category popularity decides.
    """

    def fit(self, split: Split, seed: int) -> None:
        """Count the users of each pair of categories.

        Raises:
            NotApplicableError: no item has a category.
        """
        del seed
        self._split = split
        self._item_category = _category_codes(split.table)
        if self._item_category.max(initial=0) == 0:
            raise NotApplicableError("no item has a category")
        users = training_matrix(split.training)
        self._popularity = np.asarray(users.sum(axis=0)).ravel()
        self._belongs = _one_hot(self._item_category)
        acted = (users @ self._belongs).astype(bool).astype(np.float32)
        both = (acted.T @ acted).tocsr()
        self._rules: Sparse = both.multiply(1 / np.maximum(both.diagonal(), 1)[:, None]).tocsr()

    def scores(self, cases: Cases, target: int) -> Float32:
        """Strength of the rules, popularity as a fraction that only breaks ties."""
        own = columns(self._split.table, target)
        history = history_matrix(self._split, cases) @ self._belongs
        length = np.maximum(cases.end - cases.start, 1).astype(np.float32)
        strength = dense(history @ self._rules) / length[:, None]
        popular = self._popularity[own] / (self._popularity[own].max(initial=0) + 1)
        scores: Float32 = strength[:, self._item_category[own]] + np.float32(1e-4) * popular
        return scores


def _category_codes(table: EventTable) -> Int64:
    """int64 [items of all platforms]; 0 stands for no category."""
    codes: dict[tuple[int, str], int] = {}
    made = [
        codes.setdefault((at, category), len(codes) + 1) if category else 0
        for at, items in enumerate(table.items)
        for category in items.categories
    ]
    return np.array(made, np.int64)


def _one_hot(codes: Int64) -> Sparse:
    """float32 [items, categories + 1]; the column of 0 stays empty."""
    known = np.flatnonzero(codes)
    ones = np.ones(len(known), np.float32)
    shape = (len(codes), int(codes.max(initial=0)) + 1)
    return sparse.csr_array((ones, (known, codes[known])), shape=shape)
