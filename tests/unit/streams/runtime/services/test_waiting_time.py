"""Waiting times against a partition whose arrival times are known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.services.waiting_time import MAX_SAMPLES, WaitingTime


def test_nothing_waits() -> None:
    waiting = WaitingTime()
    assert waiting.observe(0, 0, 0) == 0
    assert waiting.observe(60, 5, 5) == 0
    assert waiting.observe(120, 5, 5) == 0


def test_steady_traffic_is_not_a_growing_lag() -> None:
    waiting = WaitingTime()
    lags = [waiting.observe(second, 1000 * second, 1000 * second + 900) for second in range(3600)]
    assert max(lags) <= 1


def test_a_worker_that_stands_still_falls_behind_by_the_second() -> None:
    waiting = WaitingTime()
    waiting.observe(9, 100, 100)
    assert [waiting.observe(10 + t, 100, 101 + t) for t in range(5)] == [0, 1, 2, 3, 4]
    assert waiting.observe(15, 105, 105) == 0


def test_catching_up_counts_from_the_record_that_is_next() -> None:
    waiting = WaitingTime()
    for second in range(10):
        waiting.observe(second, 0, 10 * (second + 1))
    assert waiting.observe(10, 55, 100) == 5


def test_hours_behind_cost_no_memory() -> None:
    waiting = WaitingTime()
    for second in range(20_000):
        assert waiting.observe(second, 0, second + 1) == second
    assert len(waiting._seen) <= MAX_SAMPLES + 1
    assert abs(waiting.observe(20_000, 10_000, 20_001) - 10_000) <= 100


steps = st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1)), min_size=1, max_size=60)


@given(steps)
def test_within_one_interval_of_the_truth(steps: list[tuple[int, float]]) -> None:
    waiting = WaitingTime()
    arrivals: list[float] = []
    processed = 0
    for second, (arrived, share) in enumerate(steps):
        # Somewhere in the second that just passed.
        arrivals.extend([second - 0.5] * arrived)
        processed += int((len(arrivals) - processed) * share)
        got = waiting.observe(float(second), processed, len(arrivals))
        truth = second - arrivals[processed] if processed < len(arrivals) else 0.0
        assert truth - 1 <= got <= truth + 1e-9
