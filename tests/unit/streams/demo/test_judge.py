from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streams.demo.judge import Judged, judge, ndcg

GAINS = hnp.arrays(np.float64, (3, 12), elements=st.floats(0.0, 1.0))
SCORES = hnp.arrays(np.float64, (3, 12), elements=st.floats(-1.0, 1.0))


def judged(vectors: list[float], popular: list[float], names: str = "abc") -> Judged:
    people = list(names[: len(vectors)])
    return Judged(people, np.array(vectors), np.array(popular), np.arange(len(people)) == 0)


@given(SCORES, GAINS)
def test_ndcg_lies_between_nothing_and_the_ideal(scores: np.ndarray, gains: np.ndarray) -> None:
    values = ndcg(scores, gains)
    assert values.shape == (3,)
    assert (values >= 0.0).all()
    assert (values <= 1.0 + 1e-9).all()
    ideal = ndcg(gains, gains)
    np.testing.assert_allclose(ideal[gains.max(axis=1) > 1e-300], 1.0)


def test_ndcg_of_a_ranking_worked_out_by_hand() -> None:
    gains = np.array([[3.0, 2.0, 0.0, 1.0]])
    scores = np.array([[0.1, 0.9, 0.8, 0.7]])  # order: 1, 2, 3, 0
    got = 2.0 + 0.0 + 1.0 / 2.0 + 3.0 / np.log2(5)
    ideal = 3.0 + 2.0 / np.log2(3) + 1.0 / 2.0
    assert ndcg(scores, gains)[0] == pytest.approx(got / ideal)


def test_only_the_first_k_places_count() -> None:
    gains = np.array([[1.0, 0.0, 0.0]])
    assert ndcg(np.array([[0.0, 2.0, 1.0]]), gains, k=2)[0] == 0.0


def test_one_ranking_for_all_is_popularity() -> None:
    gains = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(ndcg(np.array([5.0, 1.0]), gains, k=1), [1.0, 0.0])


def test_a_person_counts_once_with_the_mean_over_targets() -> None:
    verdict = judge({"shop": judged([0.8, 0.4], [0.2, 0.2]), "news": judged([0.6], [0.4])})
    assert verdict.people == 2
    assert verdict.vectors == pytest.approx((0.7 + 0.4) / 2)
    assert verdict.popular == pytest.approx((0.3 + 0.2) / 2)
    assert verdict.by_target["shop"] == pytest.approx((2, 0.6, 0.2))
    assert verdict.newcomers == pytest.approx((2, 0.7, 0.3))


def test_vectors_must_be_ahead_beyond_chance() -> None:
    ahead = judge({"shop": judged([0.8, 0.7, 0.9], [0.2, 0.2, 0.2])})
    lucky = judge({"shop": judged([0.9, 0.2, 0.2], [0.2, 0.3, 0.2])})
    assert ahead.follows
    assert lucky.gain > 0
    assert not lucky.follows


@pytest.mark.parametrize("targets", [{}, {"shop": judged([], [])}, {"shop": judged([0.9], [0.1])}])
def test_nobody_and_one_person_prove_nothing(targets: dict[str, Judged]) -> None:
    assert not judge(targets).follows
