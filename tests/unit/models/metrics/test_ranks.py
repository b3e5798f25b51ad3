"""Ranks of tied, masked and broken scores."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.table import TableBuilder
from models.errors import ModelError
from models.metrics.ranks import rank_cases, rank_scores
from models.protocols.cases import Cases


def test_above_and_tied() -> None:
    scores = np.array([[3.0, 1.0, 3.0, 5.0], [0.0, 0.0, 0.0, 0.0], [9.0, 1.0, 2.0, 3.0]])
    ranks = rank_scores(scores, 0)
    assert ranks.above.tolist() == [1, 0, 0]
    assert ranks.tied.tolist() == [1, 3, 0]
    assert ranks.expected.tolist() == [1.5, 1.5, 0.0]


def test_a_target_of_each_row() -> None:
    ranks = rank_scores(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([0, 1]))
    assert ranks.above.tolist() == [1, 0]


def test_candidates_that_take_no_part() -> None:
    scores = np.array([[1.0, 2.0, 1.0, 3.0]])
    ranks = rank_scores(scores, 0, np.array([[False, False, True, True]]))
    assert (ranks.above.tolist(), ranks.tied.tolist()) == ([1], [1])


def test_nan_is_an_error_and_not_a_good_rank() -> None:
    with pytest.raises(ModelError, match="a score is NaN"):
        rank_scores(np.array([[np.nan, 1.0]]), 0)


def test_cases_with_candidates_and_with_the_full_catalogue() -> None:
    """The full catalogue leaves out what the history holds, but never the target."""
    builder = TableBuilder()
    for item in "pqrs":
        builder.add_item("a", item)
    for time, item in enumerate("pqq"):
        builder.add_event("u", "a", 0, item, time)
    table = builder.build()
    scores = np.array([[4.0, 2.0, 3.0, 1.0]])
    at = (np.array([2]), np.array([0]), np.array([2]))
    assert rank_cases(scores, Cases(*at, None), table).above.tolist() == [1]
    some = np.array([[1, 3, -1]], np.int32)
    assert rank_cases(scores, Cases(*at, some), table).above.tolist() == [0]
