"""Weights of a blend follow what validation shows."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines import Blend, NotApplicableError
from models.baselines.base import Float32
from models.data.table import EventTable, TableBuilder
from models.evaluation.results import evaluate_method
from models.protocols import abxi
from models.protocols.cases import Cases, Split


class Fixed:
    """Scores from a function of the case's own item."""

    def __init__(self, right: float, blank: bool = False) -> None:
        self.right, self.blank = right, blank

    def fit(self, split: Split, seed: int) -> None:
        self.table = split.table
        if self.blank:
            raise NotApplicableError("nothing to see")

    def scores(self, cases: Cases, target: int) -> Float32:
        size = len(self.table.items[target])
        made = np.tile(np.arange(size, dtype=np.float32), (len(cases), 1))
        made[np.arange(len(cases)), self.table.item[cases.row]] = size * self.right
        return made


def table() -> EventTable:
    rng = np.random.default_rng(0)
    builder = TableBuilder()
    for item in range(40):
        builder.add_item("a", str(item))
    for user in range(30):
        for time, item in enumerate(rng.permutation(40)[:4]):
            builder.add_event(f"u{user}", "a", 2, str(item), time)
    return builder.build()


def test_a_part_that_misleads_gets_no_weight() -> None:
    """The second part puts every target last."""
    split = abxi(table(), negatives=20)
    blend = Blend([Fixed(right=2.0), Fixed(right=-2.0)])
    blend.fit(split, 0)
    assert blend.weights[0][0] > 0
    assert blend.weights[0][1] < blend.weights[0][0]
    assert evaluate_method(blend, split, 0).targets["a"].figures()["hr@5"] == 1.0


def test_a_part_that_does_not_apply_is_left_out() -> None:
    split = abxi(table(), negatives=20)
    blend = Blend([Fixed(right=2.0, blank=True), Fixed(right=2.0)])
    blend.fit(split, 0)
    assert blend.weights[0].tolist() == [1.0]
    with pytest.raises(NotApplicableError, match="nothing to see"):
        Blend([Fixed(right=0.0, blank=True)]).fit(split, 0)


class Unknown(Fixed):
    """Knows the target's scores only; everything else is unknown to it."""

    def scores(self, cases: Cases, target: int) -> Float32:
        made = np.full((len(cases), len(self.table.items[target])), -np.inf, np.float32)
        made[:, :3] = [0, 1, 2]
        return made


def test_unknown_items_count_as_the_least_known_one() -> None:
    split = abxi(table(), negatives=20)
    blend = Blend([Unknown(right=0.0), Fixed(right=2.0)])
    result = evaluate_method(blend, split, 0)
    assert result.targets["a"].figures()["hr@10"] > 0.9
    scores = blend.scores(split.test, 0)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
