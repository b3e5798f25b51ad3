"""What holds for every method, and histories as matrices."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines import METHODS, Method, NotApplicableError
from models.baselines.base import history_matrix
from models.baselines.content import ContentSimilarity
from models.baselines.factors import MovingAverage, PureSvd
from models.baselines.rules import CategoryRules
from models.protocols.cases import Cases
from tests.unit.models.baselines.films import scores, split, table


@pytest.mark.parametrize(
    "method", [PureSvd(rank=2), MovingAverage(rank=2), ContentSimilarity(), CategoryRules()]
)
def test_the_book_of_the_film_comes_first(method: Method) -> None:
    got = scores(method)
    assert got[0] > got[2]


def test_rules_are_confidences() -> None:
    """Two of three users of space films take space books; nobody else takes cook films."""
    got = scores(METHODS["rules"]())
    assert got == pytest.approx([(2 / 3) / 2, 0, 0], abs=1e-3)


@pytest.mark.parametrize("name", ["content", "rules"])
def test_methods_say_what_the_data_lacks(name: str) -> None:
    with pytest.raises(NotApplicableError, match="no item has a"):
        scores(METHODS[name](), table(words=False))


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_works_without_times_and_without_a_history(name: str) -> None:
    made, _ = split(table(times=False))
    method = METHODS[name]()
    method.fit(made, seed=1)
    zero = np.array([0])
    got = method.scores(Cases(np.array([2]), zero, zero, None), target=1)
    assert got.shape == (1, 3)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()


def test_history_weights_count_from_the_last_event() -> None:
    data = table()
    made, _ = split(data)
    fay = np.flatnonzero(data.user == data.users.index("fay"))
    cases = Cases(np.array([2, fay[0]]), np.array([0, fay[0]]), np.array([2, fay[0] + 2]), None)
    got = history_matrix(made, cases, decay=0.5).toarray()
    assert got.tolist() == [[0.5, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]]
    assert history_matrix(made, cases).toarray().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ]
