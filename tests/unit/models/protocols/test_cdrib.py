"""The split that a dataset prescribes."""

from __future__ import annotations

import numpy as np
import pytest

from models.data import TEST, TRAIN, VALIDATION
from models.data.table import TableBuilder
from models.errors import ModelError
from models.protocols import cdrib
from tests.unit.models.protocols.rows import ANN, build, names


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
