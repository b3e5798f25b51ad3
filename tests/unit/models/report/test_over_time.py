"""Gains by months since training ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.evaluation.results import MethodResult
from models.evaluation.run import Run
from models.report.assemble import report
from models.report.over_time import by_month
from models.report.page import html_page
from tests.unit.models.report.results import CASES, result, run


def served(value: float, ages: float = 0.0) -> MethodResult:
    """A result over 75 days; it loses ``ages`` each month."""
    made = result(value)
    days = np.linspace(0.5, 74.5, CASES)
    target = made.targets["shop"]
    older = ages * (days // 30)
    metrics = {name: figures - older for name, figures in target.metrics.items()}
    return replace(made, targets={"shop": replace(target, since_days=days, metrics=metrics)})


def ageing() -> Run:
    results = {"weak": [served(0.2)], "strong": [served(0.25)], "model": [served(0.5, ages=0.15)]}
    return Run(results=results, ours=["model"])


def test_each_month_is_held_against_the_best_baseline_of_all_months() -> None:
    found = by_month(ageing())["model"]["shop"]
    assert found["baseline"] == "strong"
    assert [row["month"] for row in found["months"]] == [1, 2, 3]
    assert sum(row["cases"] for row in found["months"]) == CASES
    assert [row["gain"] for row in found["months"]] == pytest.approx([2.0, 1.4, 0.8], abs=0.1)
    first, _, last = found["months"]
    assert first["low"] > 0 > last["high"]
    assert first["ours"] / first["best"] == pytest.approx(first["gain"], abs=1e-3)


def test_without_a_time_when_training_ended_or_a_baseline_there_is_nothing() -> None:
    assert by_month(run()) == {}
    assert by_month(Run(results={"model": [served(0.5)]}, ours=["model"])) == {}
    assert by_month(Run(results={"weak": [served(0.5)]})) == {}


def test_the_page_draws_the_gain_and_where_the_baseline_is_as_good() -> None:
    about = {"data": "tiny", "protocol": "stream", "part": "test", "seeds": [0]}
    page = html_page(report(ageing(), None, about), {})
    assert "How far ours stays ahead" in page
    assert "shop: gain over the best baseline, by month" in page
    assert "as good as the best baseline" in page
    assert "month 3" in page
    assert "model on shop against strong" in page
    still = html_page(report(run(), None, about), {})
    assert "How far ours stays ahead" not in still
