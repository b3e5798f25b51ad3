"""How long somebody has waited, and when full speed was back."""

from __future__ import annotations

import pytest

from tests.chaos.verdict.speed import Gauge, summary
from tests.chaos.verdict.waiting import Waiting


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_oldest_event_without_an_answer_counts() -> None:
    clock = Clock()
    waiting = Waiting(clock)
    assert waiting.seconds() == 0
    assert not waiting.begun()
    waiting.sent(0, ("ann",))
    clock.now = 1
    waiting.sent(1, ("bob",))
    clock.now = 5
    waiting.answered("bob", 1)
    assert waiting.begun()
    assert waiting.seconds() == 5
    assert waiting.describe() == "event 0 of ('ann',) waits"
    waiting.answered("ann", 0)
    assert waiting.describe() == "nothing waits"
    assert waiting.seconds() == 0


def test_an_answer_has_everything_before_it_and_nothing_after() -> None:
    clock = Clock()
    waiting = Waiting(clock)
    for number in range(3):
        waiting.sent(number, ("ann",))
    waiting.answered("ann", 1)
    waiting.answered("ann", 0)  # published again by another worker
    clock.now = 2
    assert waiting.seconds() == 2


def test_an_event_under_a_local_id_is_answered_to_either() -> None:
    waiting = Waiting(Clock())
    waiting.sent(0, ("sann", "ann"))
    waiting.answered("ann", 4)
    assert waiting.seconds() == 0


def test_one_event_that_stays_is_still_and_a_long_queue_that_moves_is_not() -> None:
    clock = Clock()
    waiting = Waiting(clock)
    assert waiting.still_s() == 0
    for number in range(100):
        waiting.sent(number, (number,))
    for number in range(50):
        waiting.answered(number, number)
        clock.now += 100
        assert waiting.still_s() == 0
    clock.now += 100
    waiting.answered(99, 99)  # another partition's
    assert waiting.still_s() == 100


@pytest.mark.parametrize(
    ("slow_at", "recovery"),
    [([], 0.0), ([5.0], 0.0), ([5.0, 12.0, 14.5], 4.5), ([14.5, 90.0], 4.5)],
)
def test_recovery_is_until_the_last_slow_moment(slow_at: list[float], recovery: float) -> None:
    gauge = Gauge(lambda: 0.0)
    gauge._slow_at = slow_at
    assert gauge.recovery_s(struck=10.0, until=60.0) == recovery


def test_nothing_measured_is_nothing() -> None:
    assert summary([]) == {"recovery_median_s": None, "recovery_max_s": None}
    assert summary([1.0, 9.0, 2.0]) == {"recovery_median_s": 2.0, "recovery_max_s": 9.0}
