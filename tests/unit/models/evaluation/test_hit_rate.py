"""The hit rate that live and offline evaluation share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.data.table import TableBuilder
from models.evaluation.hit_rate import hit_rates, rank_interests
from models.evaluation.results import evaluate_method
from models.evaluation.served import ServedBundle
from models.protocols import abxi
from models.protocols.cases import Split
from tests.bundles import make_tiny_bundle


def make_split() -> Split:
    rng = np.random.default_rng(5)
    builder = TableBuilder()
    for user in range(40):
        for time_ms in range(5):
            platform = str(rng.choice(["shop", "video"]))
            item = f"{platform}-{rng.integers(0, 50)}"
            builder.add_event(f"u{user}", platform, 1, item, time_ms * 1000)
    return abxi(builder.build(), negatives=25)


def test_vectors_of_the_item_itself_are_hits() -> None:
    """Unit vectors as items: the vector of the target ranks it first."""
    split = make_split()
    size = max(map(len, split.table.items))
    outputs = [np.eye(len(items), size, dtype=np.float32) for items in split.table.items]
    right = np.eye(size, dtype=np.float32)[split.table.item[split.test.row]]
    ranks = rank_interests(right, outputs, split, split.test)
    assert hit_rates(ranks, split, split.test, "hr@5") == {"shop": 1.0, "video": 1.0, "all": 1.0}
    wrong = rank_interests(-right, outputs, split, split.test)
    assert hit_rates(wrong, split, split.test)["all"] == 0.0


def test_an_item_without_a_vector_comes_last() -> None:
    split = make_split()
    outputs = [np.ones((len(items), 3), np.float32) for items in split.table.items]
    for at, vectors in enumerate(outputs):
        vectors[split.table.item[split.test.row][split.targets(split.test) == at]] = np.nan
    ranks = rank_interests(np.ones((len(split.test), 3), np.float32), outputs, split, split.test)
    assert hit_rates(ranks, split, split.test)["all"] < 0.1


def test_offline_equals_the_evaluation(tmp_path: Path) -> None:
    split, served = make_split(), ServedBundle(make_tiny_bundle(tmp_path / "b", ("video", "shop")))
    result = evaluate_method(served, split, seed=0)
    cases, outputs = split.test, served.outputs(split.table)
    vectors = np.zeros((len(cases), served.contract.vector_dim), np.float32)
    for target in (0, 1):
        there = split.targets(cases) == target
        vectors[there] = served.interests(cases.select(there), target)
    rates = hit_rates(rank_interests(vectors, outputs, split, cases), split, cases)
    for name in ("shop", "video"):
        assert rates[name] == pytest.approx(result.targets[name].figures()["hr@10"])
