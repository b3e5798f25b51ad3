"""Popularity follows what came lately."""

from __future__ import annotations

import numpy as np

from streams.quality.popularity import Popularity


def test_popularity_counts_what_came_lately() -> None:
    popularity = Popularity([5, 5], half_life=10.0)
    among = np.arange(5)
    popularity.count(np.zeros(6, np.int64), np.array([0, 0, 0, 1, 1, 7]))
    assert [popularity.rank(0, item, among) for item in range(5)] == [1, 2, 4, 4, 4]
    assert popularity.rank(1, 0, among) == 3  # nothing is known: all are tied
    popularity.count(np.zeros(20, np.int64), np.full(20, 2))
    popularity.count(np.zeros(2, np.int64), np.array([1, 1]))
    assert [popularity.rank(0, item, among) for item in (2, 1, 0)] == [1, 2, 3]


def test_popularity_never_overflows_and_goes_on_under_another_bundle() -> None:
    popularity = Popularity([3], half_life=1.0)
    for _ in range(100):
        popularity.count(np.zeros(100, np.int64), np.arange(100) % 3)
    assert np.isfinite(popularity._counts[0]).all()
    popularity.count(np.zeros(5, np.int64), np.full(5, 1))
    after = Popularity([4], half_life=1.0)
    after.carry(0, np.array([3, 0]), popularity, np.array([1, 2]))
    assert after.rank(0, 3, np.arange(4)) == 1
