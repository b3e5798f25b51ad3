"""CPU time at a moment, from looks around it."""

from __future__ import annotations

import os
import time

import pytest

from tests.bench.race.process import TICKS, Sampler, between, cpu_seconds

LOOKS = [(10.0, [1.0, 5.0]), (10.5, [1.5, 5.0]), (12.0, [1.5, 5.3])]


@pytest.mark.parametrize(
    ("when", "values"),
    [
        (10.25, [1.25, 5.0]),
        (10.5, [1.5, 5.0]),
        (11.0, [1.5, 5.1]),
        (9.0, [1.0, 5.0]),  # before the first look
        (13.0, [1.5, 5.3]),  # after the last
    ],
)
def test_values_lie_between_the_looks_around_them(when: float, values: list[float]) -> None:
    assert between(LOOKS, when) == pytest.approx(values)


def test_one_look_is_all_that_is_known() -> None:
    assert between(LOOKS[:1], 99.0) == [1.0, 5.0]


def test_work_after_a_moment_is_not_counted_for_it() -> None:
    with Sampler([os.getpid()], every_s=0.005) as sampler:
        moment, used = time.time(), cpu_seconds(os.getpid())
        while cpu_seconds(os.getpid()) < used + 0.1:
            pass
        later = time.time()
    assert sampler.at(moment)[0] == pytest.approx(used, abs=2 / TICKS + 0.02)
    assert sampler.at(later)[0] - sampler.at(moment)[0] > 0.05
