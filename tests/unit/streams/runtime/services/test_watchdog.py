"""Each rule of the watchdog, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.services.watchdog import MAX_GAP_S, Rule, Verdict, Watchdog, Watched, limits_of
from streams.settings.sections.watchdog import Watchdog as Limits

LIMITS = dict.fromkeys(Rule, 10.0)


def run(dog: Watchdog, *things: Watched, seconds: int, start: int = 0) -> Verdict | None:
    """Look each second at the same things; the first verdict."""
    for second in range(start, start + seconds + 1):
        if verdict := dog.look(float(second), things):
            return verdict
    return None


@pytest.mark.parametrize("rule", list(Rule))
def test_what_stands_still_is_found_soon_after_its_limit(rule: Rule) -> None:
    dog = Watchdog(LIMITS)
    thing = Watched(rule, 7, "log/3", "processed 7, end 9")
    assert run(dog, thing, seconds=10) is None
    assert dog.still_s(rule) == 10
    verdict = run(dog, thing, seconds=2, start=11)
    assert verdict is not None
    assert (verdict.still_s, verdict.limit_s) == (11, 10)
    text = str(verdict)
    for part in (f"watchdog {rule.value}", "(log/3)", "(processed 7, end 9)", f"{rule.value}_s"):
        assert part in text


@pytest.mark.parametrize("rule", list(Rule))
def test_what_moves_is_left_alone(rule: Rule) -> None:
    dog = Watchdog(LIMITS)
    for second in range(100):
        assert dog.look(float(second), [Watched(rule, second // 9)]) is None


def test_what_is_no_longer_watched_begins_anew() -> None:
    """A partition that was taken away and comes back; a call that returned."""
    dog = Watchdog(LIMITS)
    thing = Watched(Rule.PROGRESS, 7, "log/3")
    assert run(dog, thing, seconds=9) is None
    assert dog.look(10.0, []) is None
    assert dog.still_s(Rule.PROGRESS) == 0
    assert run(dog, thing, seconds=10, start=11) is None


def test_one_partition_that_stands_still_isnt_hidden_by_others_that_move() -> None:
    """The stalled take-over: its own partitions went on."""
    dog = Watchdog(LIMITS)
    found = None
    for second in range(20):
        own = Watched(Rule.PROGRESS, second, "log/0")
        found = found or dog.look(float(second), [own, Watched(Rule.PROGRESS, 0, "log/4")])
    assert found is not None
    assert found.watched.what == "log/4"


def test_the_longest_of_several_is_the_reason() -> None:
    dog = Watchdog(LIMITS | {Rule.COMMIT: 100.0})
    for second in range(20):
        late = [Watched(Rule.PROGRESS, 0)] if second >= 5 else []
        verdict = dog.look(float(second), [Watched(Rule.COMMIT, 0), *late])
    assert verdict is not None
    assert verdict.watched.rule is Rule.PROGRESS
    assert (dog.still_s(Rule.COMMIT), dog.still_s(Rule.PROGRESS)) == (19, 14)


def test_a_process_that_was_paused_as_a_whole_isnt_stuck() -> None:
    dog = Watchdog(LIMITS)
    thing = Watched(Rule.LOOP, 0)
    dog.look(0.0, [thing])
    assert dog.look(3_600.0, [thing]) is None
    assert dog.still_s(Rule.LOOP) == MAX_GAP_S


def test_the_defaults_are_in_the_settings() -> None:
    assert limits_of(Limits(onnx_s=4)) == {
        Rule.ONNX: 4,
        Rule.LOOP: 60,
        Rule.PROGRESS: 120,
        Rule.COMMIT: 120,
        Rule.RECOVERY: 120,
    }


steps = st.lists(st.tuples(st.floats(0, MAX_GAP_S), st.integers(0, 2)), max_size=80)


@given(steps)
def test_a_verdict_comes_exactly_when_a_value_was_the_same_for_longer(
    looks: list[tuple[float, int]],
) -> None:
    dog, now, since, last = Watchdog(LIMITS), 0.0, 0.0, None
    for gap, value in looks:
        now += gap
        if value != last:
            since, last = now, value
        verdict = dog.look(now, [Watched(Rule.COMMIT, value)])
        if abs(now - since - 10.0) > 1e-6:
            assert (verdict is not None) == (now - since > 10.0)
