"""Rules from category to category, learned from people who are on both or given in a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
from models.errors import DataError
from models.protocols.cases import Cases, Split

FIELDS: Final = ("platform", "category", "target", "target_category", "strength")


@dataclass(frozen=True, slots=True)
class Rule:
    """Who acts on one category takes to another.

    Attributes:
        source: platform and category.
        target: platform and category.
        strength: at least 0; what a history's event adds to the items of the target.
    """

    source: tuple[str, str]
    target: tuple[str, str]
    strength: float


def read_rules(path: Path) -> list[Rule]:
    """The rules of a CSV file whose first line names the ``FIELDS``.

    Raises:
        DataError: the file isn't there or isn't of this form; says line, field and remedy.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read ({error})") from None
    lines = csv.DictReader(text.splitlines())
    if missing := [name for name in FIELDS if name not in (lines.fieldnames or ())]:
        raise DataError(
            f"{path}: the first line lacks {', '.join(missing)}; begin with {','.join(FIELDS)}"
        )
    return [_rule(path, lines.line_num, line) for line in lines]


def _rule(path: Path, number: int, line: dict[str, str | None]) -> Rule:
    for name in FIELDS:
        if not line[name]:
            raise DataError(f"{path}, line {number}: {name} is empty; give each of the five fields")
    given = str(line["strength"])
    try:
        strength = float(given)
    except ValueError:
        strength = -1.0
    if not 0.0 <= strength < float("inf"):
        raise DataError(
            f"{path}, line {number}: strength {given!r} is no number of at least 0; give one, "
            "such as 0.5"
        )
    platform, category, target, target_category = (str(line[name]) for name in FIELDS[:4])
    return Rule((platform, category), (target, target_category), strength)


class CategoryRules:
    """Category to category: who acts on A also acts on B.

    A learned rule's strength is P(user acts on B | acts on A) (confidence) of the training
    users. A candidate's score is the mean strength of the rules from the history's categories to
    its own, and inside a category popularity decides.

    Args:
        given: rules in place of learned ones.
    """

    def __init__(self, given: Sequence[Rule] | None = None) -> None:
        self._given = given

    def fit(self, split: Split, seed: int) -> None:
        """Count the users of each pair of categories, or take the given strengths.

        Raises:
            NotApplicableError: no item has a category, or none has one that a given rule names.
        """
        del seed
        self._split = split
        codes, self._item_category = _category_codes(split.table)
        if not codes:
            raise NotApplicableError("no item has a category")
        users = training_matrix(split.training)
        self._popularity = np.asarray(users.sum(axis=0)).ravel()
        self._belongs = _one_hot(self._item_category)
        self._rules = (
            _learned(users, self._belongs) if self._given is None else _matrix(self._given, codes)
        )

    def scores(self, cases: Cases, target: int) -> Float32:
        """Strength of the rules, popularity as a fraction that only breaks ties."""
        own = columns(self._split.table, target)
        history = history_matrix(self._split, cases) @ self._belongs
        length = np.maximum(cases.end - cases.start, 1).astype(np.float32)
        strength = dense(history @ self._rules) / length[:, None]
        popular = self._popularity[own] / (self._popularity[own].max(initial=0) + 1)
        scores: Float32 = strength[:, self._item_category[own]] + np.float32(1e-4) * popular
        return scores


def _learned(users: Sparse, belongs: Sparse) -> Sparse:
    """float32 [categories + 1, categories + 1]: P(user acts on the column | acts on the row)."""
    acted = (users @ belongs).astype(bool).astype(np.float32)
    both = (acted.T @ acted).tocsr()
    made: Sparse = both.multiply(1 / np.maximum(both.diagonal(), 1)[:, None]).tocsr()
    return made


def _matrix(given: Sequence[Rule], codes: Mapping[tuple[str, str], int]) -> Sparse:
    """The given strengths as ``_learned`` has them; of the rules of one pair the last counts.

    Raises:
        NotApplicableError: the data has the categories of no rule.
    """
    known = {
        (codes[rule.source], codes[rule.target]): rule.strength
        for rule in given
        if rule.source in codes and rule.target in codes
    }
    if not known:
        raise NotApplicableError("the data has the categories of no given rule")
    rows, cols = zip(*known, strict=True)
    strengths = np.array(list(known.values()), np.float32)
    return sparse.csr_array((strengths, (rows, cols)), shape=(len(codes) + 1, len(codes) + 1))


def _category_codes(table: EventTable) -> tuple[dict[tuple[str, str], int], Int64]:
    """Platform and category -> code, and the code of each item of all platforms, 0 for none."""
    codes: dict[tuple[str, str], int] = {}
    made = [
        codes.setdefault((platform, category), len(codes) + 1) if category else 0
        for platform, items in zip(table.platforms, table.items, strict=True)
        for category in items.categories
    ]
    return codes, np.array(made, np.int64)


def _one_hot(codes: Int64) -> Sparse:
    """float32 [items, categories + 1]; the column of 0 stays empty."""
    known = np.flatnonzero(codes)
    ones = np.ones(len(known), np.float32)
    shape = (len(codes), int(codes.max(initial=0)) + 1)
    return sparse.csr_array((ones, (known, codes[known])), shape=shape)
