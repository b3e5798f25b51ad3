"""Ratios are of what was measured, and None where that gives none."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from tests.bench.report import GOALS, notes, ratio_spread, ratios, table


def recovered(ours: float, faust: float) -> dict[str, Any]:
    start = {"start_s": {"median": 4.0}}
    return {
        "recovery": {
            "users": 1000,
            "ours": {**start, "recovery_s": ours},
            "faust": {**start, "recovery_s": faust},
        }
    }


def test_what_was_not_measured_has_no_ratio_and_no_note() -> None:
    assert ratios({}) == dict.fromkeys(GOALS)
    assert notes({}) == {}


def test_a_recovery_is_compared() -> None:
    found = recovered(2.0, 50.0)
    assert ratios(found)["recovery_faust"] == pytest.approx(25.0)
    assert notes(found) == {}


@pytest.mark.parametrize(("ours", "faust"), [(0.0, 50.0), (-0.5, 50.0), (2.0, -1.0)])
def test_a_start_that_took_longer_than_a_recovery_is_noted(ours: float, faust: float) -> None:
    found = recovered(ours, faust)
    assert ratios(found)["recovery_faust"] is None
    assert list(notes(found)) == ["recovery_faust"]
    single: dict[str, Any] = {"bytes_beside_state": None, "mb_per_100k_users": None}
    shown = table(
        {"figures": found, "ratios": ratios(found), "ratio_spread": ratio_spread(found), **single}
    )
    assert f"{faust:.3g} to {ours:.3g} is no ratio" in shown


def rounds_of(**costs: list[float]) -> dict[str, Any]:
    """Figures of contestants with so much CPU per event in each round."""
    return {
        name: {
            "title": name,
            "cpu_us_per_event": {"median": median(of), "low": min(of), "high": max(of)},
            "runs": [{"cpu_us_per_event": cost} for cost in of],
        }
        for name, of in costs.items()
    }


def test_the_ratios_of_rounds_are_of_figures_from_the_same_round() -> None:
    # A machine that gets slower by half: the figures' ends are far apart, the ratios' aren't.
    found = {"skewed": rounds_of(ours=[10.0, 12.0, 15.0], loop=[9.0, 10.8, 14.0])}
    spread = ratio_spread(found)["loop_skewed"]
    assert spread == pytest.approx({"low": 0.9, "median": 0.9, "high": 14 / 15})
    assert [name for name, value in ratio_spread(found).items() if value] == ["loop_skewed"]


def test_a_part_of_one_round_leaves_the_others_theirs() -> None:
    found = {
        "skewed": rounds_of(ours=[10.0, 12.0], loop=[9.0, 15.0]),
        "partitions": rounds_of(**{"16": [10.0]}),
    }
    spread = ratio_spread(found)["loop_skewed"]
    assert spread == pytest.approx({"low": 0.9, "median": 1.075, "high": 1.25})


def test_rates_and_histories_have_rounds_too() -> None:
    def at_2000(*cores: float) -> dict[str, Any]:
        runs = [{"cores": value, "p99_ms": 5.0} for value in cores]
        middle = {"cores": {"median": median(cores)}, "p99_ms": {"median": 5.0}}
        return {"2000": {**middle, "runs": runs}}

    history = rounds_of(**{"10": [5.0, 6.0], "10000": [5.0, 6.6]})
    latency = {"ours": at_2000(0.3, 0.2), "loop": at_2000(0.2, 0.2)}
    spread = ratio_spread({"latency": latency, "history": history})
    assert spread["cpu_at_2000"] == pytest.approx({"low": 1.0, "median": 1.25, "high": 1.5})
    assert spread["history_10000"] == pytest.approx({"low": 1.0, "median": 1.05, "high": 1.1})


def test_what_did_not_take_turns_has_no_rounds() -> None:
    assert ratio_spread(recovered(2.0, 50.0)) == dict.fromkeys(GOALS)
