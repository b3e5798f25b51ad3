"""Ratios are of what was measured, and None where that gives none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.report import GOALS, notes, ratios, table


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
    shown = table({"figures": found, "ratios": ratios(found), **single})
    assert f"{faust:.3g} to {ours:.3g} is no ratio" in shown
