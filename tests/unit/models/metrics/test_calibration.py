"""Calibration: probabilities that are right, too sure, and impossible."""

from __future__ import annotations

import numpy as np
import pytest

from models.metrics.calibration import Reliability, fit_temperature, probabilities
from models.metrics.ranks import Contest


def contest(scores: np.ndarray) -> Contest:
    return Contest(scores, 0, np.ones(scores.shape, bool))


def drawn(sharpness: float, cases: int = 4000, size: int = 20) -> Contest:
    """Cases whose own item is drawn with the softmax of their scores times ``sharpness``."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(cases, size))
    share, _ = probabilities(contest(scores), 1 / sharpness)
    chosen = (share.cumsum(axis=1) > rng.random((cases, 1))).argmax(axis=1)
    return Contest(scores, chosen.astype(np.int64), np.ones(scores.shape, bool))


def test_softmax_by_hand() -> None:
    share, own = probabilities(contest(np.log([[1.0, 2.0, 1.0]])), 1.0)
    assert share[0] == pytest.approx([0.25, 0.5, 0.25])
    assert np.exp(own) == pytest.approx([0.25])


def test_candidates_that_take_no_part_get_nothing() -> None:
    valid = np.array([[False, True, False]])
    share, _ = probabilities(Contest(np.zeros((1, 3)), 0, valid), 1.0)
    assert share[0] == pytest.approx([0.5, 0.5, 0])


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 5.0])
def test_the_temperature_is_found(sharpness: float) -> None:
    cases = drawn(sharpness)
    assert 1 / fit_temperature(cases) == pytest.approx(sharpness, rel=0.3)


def test_right_and_too_sure() -> None:
    cases = drawn(1.0)
    found = {}
    for temperature in (1.0, 0.2):
        reliability = Reliability(temperature)
        half = len(cases.scores) // 2
        for part in (slice(0, half), slice(half, None)):
            reliability.add(Contest(*(np.asarray(each)[part] for each in cases)))
        found[temperature] = reliability.result()
    assert found[1.0].calibration_error < 0.02
    assert found[0.2].calibration_error > 0.2
    assert found[0.2].nll > found[1.0].nll


def test_flat_scores_are_chance() -> None:
    """Nothing known, nothing claimed: calibrated, and ln(C) nats."""
    cases = contest(np.zeros((10, 50)))
    reliability = Reliability(fit_temperature(cases))
    reliability.add(cases)
    assert reliability.result().calibration_error == pytest.approx(0, abs=1e-9)
    assert reliability.result().nll == pytest.approx(np.log(50))


def test_an_item_that_was_ruled_out_stays_finite() -> None:
    cases = contest(np.array([[-np.inf, 1.0, 2.0], [-np.inf, -np.inf, -np.inf]]))
    reliability = Reliability(fit_temperature(cases))
    reliability.add(cases)
    assert np.isfinite(reliability.result()).all()


def test_no_cases() -> None:
    assert Reliability(1.0).result() == (0.0, 0.0, 1.0)
