"""Metrics against figures worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from models.metrics.ranking_metrics import (
    METRICS,
    case_metrics,
    coverage,
    paired_bootstrap,
    self_information,
)
from models.metrics.ranks import Ranks, rank_scores


def test_single_ranks() -> None:
    metrics = case_metrics(Ranks(np.array([0, 4, 9, 20]), np.zeros(4, int)))
    assert list(metrics) == list(METRICS)
    assert metrics["hr@5"].tolist() == [1, 1, 0, 0]
    assert metrics["hr@10"].tolist() == [1, 1, 1, 0]
    assert metrics["hr@20"].tolist() == [1, 1, 1, 0]
    assert metrics["mrr"] == pytest.approx([1, 1 / 5, 1 / 10, 1 / 21])
    assert metrics["ndcg@5"] == pytest.approx([1, 1 / math.log2(6), 0, 0])
    assert metrics["ndcg@10"] == pytest.approx([1, 1 / math.log2(6), 1 / math.log2(11), 0])


def test_ties_are_the_mean_over_all_orders() -> None:
    """Target 0 shares its score with two others, below one and above one."""
    ranks = rank_scores(np.array([[2.0, 2.0, 2.0, 7.0, 1.0]]), 0)
    got = case_metrics(ranks)
    wanted = dict.fromkeys(METRICS, 0.0)
    orders = list(itertools.permutations(range(3)))
    for order in orders:
        single = case_metrics(Ranks(np.array([1 + order.index(0)]), np.zeros(1, int)))
        for name in METRICS:
            wanted[name] += single[name][0] / len(orders)
    assert {name: value[0] for name, value in got.items()} == pytest.approx(wanted)


def test_all_tied_is_chance() -> None:
    """A method that knows nothing hits the first 10 of 1,000 with probability 1%."""
    metrics = case_metrics(rank_scores(np.zeros((1, 1000)), 0))
    assert metrics["hr@10"] == pytest.approx([0.01])
    assert metrics["hr@5"] == pytest.approx([0.005])


def test_no_cases() -> None:
    assert len(case_metrics(Ranks(np.zeros(0, int), np.zeros(0, int)))["mrr"]) == 0


def test_coverage() -> None:
    assert coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5
    assert coverage(np.zeros((0, 2), int), 0) == 0.0


def test_self_information() -> None:
    """Counts 2, 0 become shares 3/4 and 1/4."""
    counts = np.array([2, 0])
    assert self_information(np.array([[1, -1]]), counts) == pytest.approx(2.0)
    assert self_information(np.array([[0, 1]]), counts) == pytest.approx((2 - math.log2(0.75)) / 2)
    assert self_information(np.array([[-1]]), counts) == 0.0


def test_bootstrap_sees_a_clear_gain_and_none() -> None:
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(200), 2)
    theirs = rng.random(400)
    low, high, doubt = paired_bootstrap(theirs + 0.1, theirs, user)
    assert (low, high) == pytest.approx((0.1, 0.1))
    assert doubt == 0
    low, high, doubt = paired_bootstrap(rng.random(400), theirs, user)
    assert low < 0 < high
    assert 0.01 < doubt < 0.99


def test_bootstrap_draws_users_not_cases() -> None:
    """Cases of one user that agree count once: the interval is as wide as with one each."""
    gain = np.random.default_rng(2).normal(size=50)
    one = paired_bootstrap(gain, np.zeros(50), np.arange(50), seed=3)
    many = paired_bootstrap(
        np.repeat(gain, 10), np.zeros(500), np.repeat(np.arange(50), 10), seed=3
    )
    assert one == pytest.approx(many)
