"""The last event tests, the one before it validates."""

from __future__ import annotations

import numpy as np

from models.protocols import abxi
from tests.unit.models.protocols.rows import ANN, BOB, build, names


def test_abxi_takes_the_last_two_events() -> None:
    split = abxi(build(ANN + BOB, items=5), negatives=3)
    assert names(split, split.test.row) == ["v"]
    assert names(split, split.validation.row) == ["z"]
    assert split.targets(split.test).tolist() == [1]
    history = np.arange(split.test.start[0], split.test.end[0])
    assert names(split, history) == ["x", "y", "z"]
    assert names(split, np.flatnonzero(split.train)) == ["x", "y", "x", "w"]
    assert len(split.training) == 4


def test_abxi_negatives_are_the_targets_own_without_the_users_items() -> None:
    split = abxi(build(ANN + BOB, items=5), negatives=4)
    table = split.table
    for cases in (split.validation, split.test):
        assert cases.candidates is not None
        target = int(split.targets(cases)[0])
        own = set(table.item[(table.user == 0) & (table.platform == target)].tolist())
        first, *others = cases.candidates[0].tolist()
        assert first == table.item[cases.row[0]]
        assert len(set(others)) == 4
        assert not own & set(others)
        assert set(others) <= set(range(len(table.items[target])))


def test_abxi_is_the_same_for_the_same_seed() -> None:
    table = build(ANN + BOB, items=50)
    drawn = [abxi(table, seed, negatives=9).test.candidates for seed in (0, 0, 1)]
    first, again, other = (candidates for candidates in drawn if candidates is not None)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_abxi_with_too_few_items_ranks_among_those_that_there_are() -> None:
    split = abxi(build(ANN, items=2), negatives=9)
    assert split.test.candidates is not None
    assert sorted(split.test.candidates[0].tolist()) == [-1] * 7 + [1, 2, 3]
