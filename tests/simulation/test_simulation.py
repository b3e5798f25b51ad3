"""The simulator holds the service to its promises, repeats itself, and can fail."""

from __future__ import annotations

import pytest

from tests.simulation.machines.flight import Rules
from tests.simulation.machines.tally import Tally
from tests.simulation.machines.world import World
from tests.simulation.mutations import MUTATIONS
from tests.simulation.schedules.seeds import make_schedule
from tests.simulation.trial import explain, shrink, violation_of

SCHEDULES = 400
SEARCH = 600
"""Schedules that a mutation may survive, from the seed where it was found on."""
BROKEN = ("Violation: ", "StuckError: ", "AssertionError: ")
"""A promise that was broken; anything else is a mutation that doesn't fit the code any more."""


def test_no_schedule_breaks_a_promise() -> None:
    tally, rules = Tally(), Rules()
    for seed in range(SCHEDULES):
        schedule = make_schedule(seed)
        broken = violation_of(schedule, rules, tally)
        assert broken is None, explain(schedule, rules)
    assert min(tally.crashes, tally.rebalances, tally.pauses) > SCHEDULES // 2
    assert min(tally.consents, tally.erasures) > SCHEDULES // 4
    assert min(tally.grown, tally.rewound) > SCHEDULES // 100
    assert min(tally.zombies, tally.fenced, tally.late_sends) > SCHEDULES // 40


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_a_protection_a_schedule_breaks_a_promise(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation = MUTATIONS[name]
    for owner, attribute, replacement in mutation.patches:
        monkeypatch.setattr(owner, attribute, replacement)
    seeds = range(mutation.seed, mutation.seed + SEARCH)
    schedules = (make_schedule(seed, zombies=mutation.zombies) for seed in seeds)
    found = next(filter(None, (violation_of(one, mutation.rules) for one in schedules)), "none")
    assert found.startswith(BROKEN), found


def test_a_seed_is_one_run() -> None:
    runs = []
    for _ in range(2):
        world = World(make_schedule(17), Rules(), Tally())
        world.run()
        logs = {tp: of.history for tp, of in world.broker.logs.items()}
        runs.append((world.tally, world.broker.vectors, logs, world.broker.group.committed))
    assert runs[0] == runs[1]
    assert make_schedule(17) == make_schedule(17) != make_schedule(18)


def test_a_failing_schedule_gets_shorter_and_still_fails() -> None:
    mutation = MUTATIONS["fencing"]
    seeds = range(mutation.seed, mutation.seed + SEARCH)
    failing = next(s for s in map(make_schedule, seeds) if violation_of(s, mutation.rules))
    short = shrink(failing, mutation.rules)
    assert violation_of(short, mutation.rules) is not None
    assert len(short.moves) < len(failing.moves) // 2
    told = explain(failing, mutation.rules)
    assert f"seed {failing.seed}" in told
    assert "Violation" in told
