"""Protocols on tables small enough to read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import TEST, TRAIN, VALIDATION, EventTable
from models.data.table import TableBuilder
from models.errors import ModelError
from models.protocols import abxi, cdrib, temporal
from models.protocols.candidates import draw_without
from models.protocols.cases import GROUPS, Split

Row = tuple[str, str, str, int]


def build(rows: list[Row], items: int = 0, parts: list[int] | None = None) -> EventTable:
    """Rows are (user, platform, item, time); each platform has also ``items`` more items."""
    builder = TableBuilder()
    for at, (user, platform, item, time) in enumerate(rows):
        builder.add_event(user, platform, 2, item, time, -1 if parts is None else parts[at])
    for platform in ("a", "b"):
        for number in range(items):
            builder.add_item(platform, f"more {number}")
    return builder.build()


def names(split: Split, rows: np.ndarray) -> list[str]:
    table = split.table
    return [table.items[table.platform[at]].ids[table.item[at]] for at in rows]


ANN = [("ann", "a", "x", 1), ("ann", "b", "y", 2), ("ann", "a", "z", 3), ("ann", "b", "v", 4)]
BOB = [("bob", "a", "x", 5), ("bob", "a", "w", 6)]


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


@given(
    st.integers(1, 60), st.sets(st.integers(0, 59), max_size=60), st.integers(1, 60), st.integers()
)
def test_drawn_items_are_allowed_and_different(
    size: int, banned: set[int], count: int, seed: int
) -> None:
    rng = np.random.default_rng(abs(seed))
    drawn = draw_without(rng, size, np.array(sorted(banned), np.int32), count)
    allowed = set(range(size)) - banned
    assert set(drawn.tolist()) <= allowed
    assert len(set(drawn.tolist())) == len(drawn) == min(count, len(allowed))


def test_drawn_items_are_uniform() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros(20)
    for _ in range(4000):
        counts[draw_without(rng, 20, np.array([3, 4], np.int32), 5)] += 1
    expected = 4000 * 5 / 18
    assert counts[[3, 4]].tolist() == [0, 0]
    assert (abs(np.delete(counts, [3, 4]) - expected) < 5 * np.sqrt(expected)).all()


def test_temporal_cuts_by_time_and_keeps_ties_together() -> None:
    rows = [(f"u{time % 3}", "a", f"i{time}", time) for time in range(1, 10)]
    rows += [("u0", "b", "late", 9)]
    split = temporal(build(rows), train_share=0.6, validation_share=0.2)
    times = split.table.time_ms
    assert sorted(times[split.train]) == [1, 2, 3, 4, 5, 6]
    assert sorted(times[split.validation.row]) == [7, 8]
    assert sorted(times[split.test.row]) == [9, 9]
    assert split.test.candidates is None


def test_temporal_histories_are_strictly_earlier() -> None:
    """Two events at time 9: neither is in the history of the other."""
    rows = [("u", "a", "p", 1), ("u", "a", "q", 5), ("u", "a", "r", 9), ("u", "b", "s", 9)]
    split = temporal(build([*rows, ("v", "a", "p", 2)]), train_share=0.5, validation_share=0.2)
    at_nine = split.table.time_ms[split.test.row] == 9
    assert (split.test.end - split.test.start)[at_nine].tolist() == [2, 2]


def test_groups_of_temporal() -> None:
    rows = [("t", "a", "x", 1), ("t", "b", "y", 2), ("u", "a", "x", 3), ("u", "b", "y", 3)]
    rows += [("w", "a", "x", 4)]
    rows += [("u", "a", "x", 10), ("w", "b", "y", 10), ("z", "a", "x", 10), ("t", "a", "new", 10)]
    split = temporal(build(rows), train_share=0.5, validation_share=0.0)
    table, groups = split.table, split.groups(split.test)
    found = {
        table.users[table.user[row]]: GROUPS[group]
        for row, group in zip(split.test.row, groups, strict=True)
    }
    assert found == {"u": "warm", "w": "new to target", "z": "no history", "t": "new item"}


def test_temporal_needs_times() -> None:
    with pytest.raises(ModelError, match="no times"):
        temporal(build([("u", "a", "x", 0), ("u", "a", "y", 0)]))


def test_cdrib_follows_the_parts() -> None:
    rows = [("u", "a", "t1", 0), ("u", "a", "t2", 0), ("u", "a", "v", 0)]
    rows += [("u", "b", "p", 0), ("u", "b", "q", 0)]
    split = cdrib(build(rows, items=6, parts=[TEST, TEST, VALIDATION, TRAIN, TRAIN]), negatives=6)
    assert names(split, split.test.row) == ["t1", "t2"]
    assert names(split, split.validation.row) == ["v"]
    for cases in (split.validation, split.test):
        assert names(split, np.arange(cases.start[0], cases.end[0])) == ["p", "q"]
    assert split.test.candidates is not None
    others = set(split.test.candidates[0, 1:].tolist())
    assert others <= set(range(2, 9)), "both test items of the user are left out"
    assert len(others) == 6


def test_given_negatives_and_a_validation_part_of_our_own() -> None:
    builder = TableBuilder()
    for item in "pqrs":
        builder.add_event("u", "a", 2, item, 0, TRAIN)
    builder.add_event("u", "a", 2, "t", 0, TEST, negatives=[0, 2])
    builder.add_event("w", "a", 2, "p", 0, TRAIN)
    split = cdrib(builder.build())
    assert split.test.candidates is not None
    assert split.test.candidates.tolist() == [[4, 0, 2]]
    assert split.test.end[0] - split.test.start[0] == 4, "validation is part of the history"
    assert len(split.validation) == 1
    assert split.validation.end[0] - split.validation.start[0] == 3
    assert split.train.sum() == 4


def test_validation_of_our_own_is_the_same_for_every_seed() -> None:
    rows = [(f"u{user}", "a", f"i{item}", 0) for user in range(9) for item in range(5)]
    table = build(rows, items=50, parts=[TRAIN] * 4 * 9 + [TEST] * 9)
    first, other = (cdrib(table, seed, negatives=9) for seed in (0, 1))
    assert np.array_equal(first.validation.row, other.validation.row)
    assert np.array_equal(first.train, other.train)
    drawn = [one.validation.candidates for one in (first, other)]
    assert drawn[0] is not None
    assert drawn[1] is not None
    assert not np.array_equal(drawn[0], drawn[1])


def test_cdrib_needs_a_prescribed_split() -> None:
    with pytest.raises(ModelError, match="prescribes no split"):
        cdrib(build(ANN))
