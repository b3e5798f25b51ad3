"""One schedule tried: what it broke, and the shortest way there."""

from __future__ import annotations

from tests.simulation.machines.flight import Rules
from tests.simulation.machines.tally import Tally
from tests.simulation.machines.world import World
from tests.simulation.references.reference import check
from tests.simulation.schedules.schedule import Schedule


def violation_of(schedule: Schedule, rules: Rules, tally: Tally | None = None) -> str | None:
    """Run a schedule; what it broke, None where everything held."""
    tally = Tally() if tally is None else tally
    tally.schedules += 1
    world = World(schedule, rules, tally)
    try:
        world.run()
        check(world)
    except Exception as error:  # whatever the code under test throws breaks a promise
        tally.violations += 1
        return f"{type(error).__name__}: {error}"
    return None


def shrink(schedule: Schedule, rules: Rules, budget: int = 1500) -> Schedule:
    """A shorter schedule that still fails: moves and inputs are dropped greedily."""
    size = max(1, len(schedule.moves) // 2)
    while size and budget > 0:
        start, before = 0, schedule
        while start < len(schedule.moves) and budget > 0:
            shorter = schedule.but(moves=schedule.moves[:start] + schedule.moves[start + size :])
            budget -= 1
            if violation_of(shorter, rules) is not None:
                schedule = shorter
            else:
                start += size
        if schedule is before:
            size //= 2
    for place in reversed(range(len(schedule.inputs))):
        fewer = schedule.but(inputs=schedule.inputs[:place] + schedule.inputs[place + 1 :])
        if violation_of(fewer, rules) is not None:
            schedule = fewer
    return schedule


def explain(schedule: Schedule, rules: Rules) -> str:
    """A failure for people: what broke, and the shortest way there that was found."""
    short = shrink(schedule, rules)
    return f"{violation_of(short, rules)}\n{short.describe()}"
