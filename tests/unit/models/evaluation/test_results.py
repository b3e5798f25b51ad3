"""The evaluation of a method, with one whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines.base import Float32
from models.data.table import EventTable, TableBuilder
from models.evaluation.results import evaluate_method
from models.protocols import abxi, temporal
from models.protocols.cases import Cases, Split


class Constant:
    """Scores every item by its number, or all the same."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.seen = 0

    def fit(self, split: Split, seed: int) -> None:
        self.split = split

    def scores(self, cases: Cases, target: int) -> Float32:
        self.seen += len(cases)
        size = len(self.split.table.items[target])
        return np.tile(np.arange(size, dtype=np.float32) * self.factor, (len(cases), 1))


def table(users: int = 8, items: int = 30) -> EventTable:
    """Every user ends on the highest item of platform a or b."""
    builder = TableBuilder()
    for platform in "ab":
        for item in range(items):
            builder.add_item(platform, str(item))
    for user in range(users):
        for time, item in enumerate([0, 1, items - 1]):
            builder.add_event(f"u{user}", "ab"[user % 2], 2, str(item), time)
    return builder.build()


def test_a_method_that_is_always_right() -> None:
    result = evaluate_method(Constant(1.0), abxi(table(), negatives=20), seed=0)
    assert set(result.targets) == {"a", "b"}
    figures = result.targets["a"].figures()
    assert figures["hr@5"] == figures["mrr"] == figures["ndcg@10"] == 1.0
    assert figures["cases"] == 4
    assert figures["coverage"] == pytest.approx(10 / 30)


def test_a_method_that_is_always_wrong_and_one_that_knows_nothing() -> None:
    wrong = evaluate_method(Constant(-1.0), abxi(table(), negatives=20), seed=0)
    assert wrong.targets["a"].figures()["hr@10"] == 0.0
    blank = evaluate_method(Constant(0.0), abxi(table(), negatives=19), seed=0)
    assert blank.targets["a"].figures()["hr@10"] == pytest.approx(10 / 20)


def test_lists_leave_out_what_the_history_holds() -> None:
    result = evaluate_method(Constant(-1.0), abxi(table(items=12), negatives=5), seed=0)
    assert result.targets["a"].coverage == pytest.approx(10 / 12)


def test_groups_add_up() -> None:
    split = temporal(table(), train_share=0.5, validation_share=0.2)
    result = evaluate_method(Constant(1.0), split, seed=0)
    for target in result.targets.values():
        groups = target.by_group()
        assert sum(group["cases"] for group in groups.values()) == len(target.cases)
        assert set(groups) == {"new item"}


def test_validation_and_progress() -> None:
    split = abxi(table(), negatives=5)
    told: list[int] = []
    evaluate_method(Constant(1.0), split, 0, cases=split.validation, progress=told.append)
    assert sum(told) == len(split.validation)


def test_history_and_age_of_each_case() -> None:
    target = evaluate_method(Constant(1.0), abxi(table(), negatives=5), seed=0).targets["a"]
    assert target.history.tolist() == [2, 2, 2, 2]
    assert target.age_days == pytest.approx(np.full(4, 1 / 86_400_000))
