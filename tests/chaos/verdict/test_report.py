"""The report's keys are those that were asked for, and a bad run is called one."""

from __future__ import annotations

import pytest

from tests.chaos.plan import Outcome, Struck
from tests.chaos.verdict.judge import Verdict
from tests.chaos.verdict.report import figures, good, table

SESSION_S = 6.0


def outcome() -> Outcome:
    struck = [
        Struck("worker_killed", recovery_s=9.0),
        Struck("worker_killed", recovery_s=12.0),
        Struck("worker_killed"),  # the next one struck meanwhile
        Struck("worker_killed", recovery_s=0.0),  # it was starting, and had nothing
        Struck("poison_bulk", recovery_s=0.0),
    ]
    return Outcome(struck, events=1234)


def test_the_keys_and_what_they_say() -> None:
    found = figures(outcome(), SESSION_S)
    assert found["faults"] == {"poison_bulk": 1, "worker_killed": 4}
    assert (found["events"], found["lost"], found["counted_twice"]) == (1234, 0, 0)
    assert found["wrong_final_vectors"] == 0
    assert (found["recovery_median_s"], found["recovery_max_s"]) == (4.5, 12.0)
    assert found["kills_that_held_events_up"] == 2
    assert found["kill_recovery_over_session_timeout_median"] == 1.75
    assert found["kill_recovery_over_session_timeout_max"] == 2.0


@pytest.mark.parametrize(
    "bad",
    [
        Outcome(verdict=Verdict(lost=1)),
        Outcome(verdict=Verdict(wrong_final_vectors=1)),
        Outcome(verdict=Verdict(wrong_dead_letters=1)),
        Outcome([Struck("worker_killed", stuck=True)]),
        Outcome([Struck("leader_moved", error="no admin")]),
        Outcome(undrained=3),
    ],
)
def test_whatever_is_wrong_makes_it_bad(bad: Outcome) -> None:
    assert good(outcome())
    assert not good(bad)
    whole = outcome()
    whole.add(bad)
    assert not good(whole)


def test_the_table_has_both_side_by_side() -> None:
    ours = figures(outcome(), SESSION_S)
    stock = figures(Outcome([Struck("worker_killed", recovery_s=20.0)], 99), SESSION_S)
    lines = table({"interest-stream": ours, "stock Faust": stock}, SESSION_S).splitlines()
    assert lines[0].split() == ["interest-stream", "stock", "Faust"]
    (killed,) = [line for line in lines if line.strip().startswith("worker_killed")]
    assert killed.split() == ["worker_killed", "9.0", "s", "(4", "x)", "20.0", "s", "(1", "x)"]
    (ratio,) = [line for line in lines if line.startswith("after a kill")]
    assert ratio.split()[-2:] == ["1.75", "3.33"]
    (of,) = [line for line in lines if "kills that this is of" in line]
    assert of.split()[-6:] == ["2", "of", "4", "1", "of", "1"]
