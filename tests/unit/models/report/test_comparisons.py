"""Ablations and the best baseline, from known figures."""

from __future__ import annotations

import pytest

from models.evaluation.run import Run
from models.report.comparisons import ablations, against_best
from tests.unit.models.report.results import CASES, result, run


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


def test_the_best_baseline_is_compared_with() -> None:
    found = against_best(run())["model"]["shop"]["hr@10"]
    assert found["baseline"] == "strong"
    assert found["difference"] == pytest.approx(0.1)
    assert found["gain"] == pytest.approx(0.4 / 0.3, abs=1e-4)
    assert found["low"] > 0
    assert found["p"] == 0.0


def test_nothing_to_compare_with() -> None:
    assert against_best(Run(results={"model": [result(0.4)]}, ours=["model"])) == {}
