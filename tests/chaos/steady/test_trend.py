"""A leak is seen through the noise; a flat line isn't called one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.chaos.steady.trend import fit

AT = np.arange(0, 1800, 5.0)


def test_a_line_is_found_exactly() -> None:
    trend = fit(list(AT), list(100 + 0.25 * AT))
    assert trend.slope == pytest.approx(0.25)
    assert trend.error == pytest.approx(0, abs=1e-9)
    assert trend.blocks == 30


def test_the_error_tells_a_leak_from_noise() -> None:
    rng = np.random.default_rng(1)
    flat = fit(list(AT), list(300 + rng.normal(0, 5, len(AT))))
    assert abs(flat.slope) < 3 * flat.error
    leak = fit(list(AT), list(300 + 0.02 * AT + rng.normal(0, 5, len(AT))))
    assert leak.slope > 5 * leak.error


def test_two_minutes_are_too_few() -> None:
    with pytest.raises(ValueError, match="needs three"):
        fit([0.0, 60.0], [1.0, 2.0])
