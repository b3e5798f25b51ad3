"""The report: means, spreads and comparisons, from known figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.contract import ACTIONS
from models.evaluation.results import MethodResult, TargetResult
from models.evaluation.run import Run
from models.metrics.calibration import Calibration
from models.metrics.ranking_metrics import METRICS
from models.report.assemble import report
from models.report.comparisons import ablations, against_best
from models.report.figures import action_figures, group_figures, method_figures, slice_figures

CASES = 40


def result(value: float, groups: int = 1) -> MethodResult:
    """Half of the cases at ``value + 0.1``, half at ``value - 0.1``, on every metric."""
    values = np.where(np.arange(CASES) % 2, value + 0.1, value - 0.1)
    target = TargetResult(
        cases=np.arange(CASES),
        metrics={name: values.copy() for name in METRICS},
        user=np.arange(CASES),
        group=np.arange(CASES) % groups,
        action=np.arange(CASES) % groups * ACTIONS.index("purchase"),
        history=np.arange(CASES),
        age_days=np.zeros(CASES),
        coverage=0.5,
        self_information=8.0,
        calibration=Calibration(0.1, 5.0, 1.0),
    )
    return MethodResult({"shop": target}, fit_s=1.0, score_s=2.0)


def run() -> Run:
    return Run(
        results={"weak": [result(0.2)], "strong": [result(0.3)], "model": [result(0.4)]},
        skipped={"rules": "no item has a category"},
        ours=["model"],
    )


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


def test_ablations_are_beside_ours() -> None:
    about = {"weak": (("cold=0.0",), "trained in 3 s"), "not trained": ((), "")}
    found = ablations(run(), "model", about)
    assert list(found) == ["weak"]
    assert found["weak"]["changes"] == ["cold=0.0"]
    figure = found["weak"]["targets"]["shop"]["mrr"]
    assert figure["value"] == pytest.approx(0.2)
    for name in ("difference", "low", "high"):
        assert figure[name] == pytest.approx(-0.2)
    assert ablations(run(), "ours", about) == {}


def test_ablations_say_what_they_do_to_the_next_event_of_each_action() -> None:
    several = Run(
        results={"weak": [result(0.2, groups=2)], "model": [result(0.5, groups=2)]}, ours=["model"]
    )
    actions = ablations(several, "model", {"weak": (("cold=0.0",), "")})["weak"]["actions"]["shop"]
    assert {action: row["cases"] for action, row in actions.items()} == {
        "browse": CASES // 2,
        "purchase": CASES // 2,
    }
    assert actions["browse"]["mrr"]["value"] == pytest.approx(0.1)
    assert actions["purchase"]["mrr"]["value"] == pytest.approx(0.3)
    assert actions["purchase"]["mrr"]["high"] == pytest.approx(-0.3)


def test_slices_cover_all_cases_once() -> None:
    slices = slice_figures([result(0.2)])["shop"]
    sizes = [row["cases"] for row in slices["history"]]
    assert len(sizes) == 5
    assert sum(sizes) == CASES
    assert max(sizes) - min(sizes) <= 2
    assert (slices["history"][0]["from"], slices["history"][-1]["to"]) == (0, CASES - 1)
    assert [row["cases"] for row in slices["age_days"]] == [CASES], "one value, one range"


def test_the_best_baseline_is_compared_with() -> None:
    found = against_best(run())["model"]["shop"]["hr@10"]
    assert found["baseline"] == "strong"
    assert found["difference"] == pytest.approx(0.1)
    assert found["gain"] == pytest.approx(0.4 / 0.3, abs=1e-4)
    assert found["low"] > 0
    assert found["p"] == 0.0


def test_nothing_to_compare_with() -> None:
    assert against_best(Run(results={"model": [result(0.4)]}, ours=["model"])) == {}


def test_the_report_is_json() -> None:
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    found = report(run(), Run(results={"weak": [result(0.1)]}), about)
    again = json.loads(json.dumps(found))
    assert again["ours"] == "model"
    assert set(again["methods"]) == {"weak", "strong", "model"}
    assert set(again["ties_shuffled"]) == {"weak"}
    assert again["methods"]["model"]["shop"]["mrr"] == pytest.approx(0.4)
    assert again["not_applicable"] == {"rules": "no item has a category"}
