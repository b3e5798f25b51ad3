"""Means, spreads, groups and slices, from known figures."""

from __future__ import annotations

import pytest

from models.report.figures import action_figures, group_figures, method_figures, slice_figures
from tests.unit.models.report.results import CASES, result


def test_mean_and_spread_over_seeds() -> None:
    figures = method_figures([result(0.2), result(0.4)])["shop"]
    assert figures["hr@10"] == pytest.approx(0.3)
    assert figures["std"]["hr@10"] == pytest.approx(0.2 / 2**0.5, abs=1e-6)
    assert figures["cases"] == CASES
    assert "std" not in method_figures([result(0.2)])["shop"]


def test_groups() -> None:
    figures = group_figures([result(0.2, groups=2)])["shop"]
    assert figures["warm"]["hr@10"] == pytest.approx(0.1)
    assert figures["new to target"]["hr@10"] == pytest.approx(0.3)
    assert figures["warm"]["cases"] == CASES // 2


def test_a_group_may_have_cases_with_some_seeds_only() -> None:
    for seeds in ([result(0.2), result(0.2, groups=2)], [result(0.2, groups=2), result(0.2)]):
        figures = group_figures(seeds)["shop"]
        assert set(figures) == {"warm", "new to target"}
        assert figures["new to target"]["hr@10"] == pytest.approx(0.3)
        assert "std" in figures["warm"]
        assert "std" not in figures["new to target"]


def test_actions() -> None:
    figures = action_figures([result(0.2, groups=2), result(0.2, groups=2)])["shop"]
    assert list(figures) == ["browse", "purchase"]
    assert figures["purchase"]["hr@10"] == pytest.approx(0.3)
    assert figures["purchase"]["cases"] == CASES // 2


def test_slices_cover_all_cases_once() -> None:
    slices = slice_figures([result(0.2)])["shop"]
    sizes = [row["cases"] for row in slices["history"]]
    assert len(sizes) == 5
    assert sum(sizes) == CASES
    assert max(sizes) - min(sizes) <= 2
    assert (slices["history"][0]["from"], slices["history"][-1]["to"]) == (0, CASES - 1)
    assert [row["cases"] for row in slices["age_days"]] == [CASES], "one value, one range"
