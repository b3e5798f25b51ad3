"""Tries schedules: ``python -m tests.simulation.run --schedules 20000 --report FILE``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.simulation.reference import check
from tests.simulation.schedule import Schedule
from tests.simulation.seeds import make_schedule
from tests.simulation.worker import Rules
from tests.simulation.world import Tally, World


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


def main() -> int:
    """Try schedules, write the report; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--no-zombies", action="store_true")
    parser.add_argument("--stop-after", type=int, default=5, help="violations to explain")
    args = parser.parse_args()
    rules, tally, broken = Rules(), Tally(), []
    began = time.monotonic()
    for seed in range(args.first, args.first + args.schedules):
        schedule = make_schedule(seed, zombies=not args.no_zombies)
        what = violation_of(schedule, rules, tally)
        if what is not None:
            broken.append({"seed": seed, "violation": what})
            if len(broken) <= args.stop_after:
                print(explain(schedule, rules), flush=True)  # noqa: T201
    report = {
        **asdict(tally),
        "seconds": round(time.monotonic() - began, 1),
        "first_seed": args.first,
        "broken": broken[:100],
    }
    print(json.dumps({k: v for k, v in report.items() if k != "broken"}))  # noqa: T201
    if args.report is not None:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        args.report.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
