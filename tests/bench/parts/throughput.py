"""Everybody as fast as they can, in turns; the same with a few very busy users."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median
from typing import Final

from tests.bench.graph import ITEMS
from tests.bench.race.contestants import CONTESTANTS, OURS
from tests.bench.race.race import Job, Run
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import SKEW, make_traffic

SKEWED: Final = 1.1
SKEWS: Final = (0.8, 1.0, 1.1, 1.2, 1.3)
PARTITIONS: Final = (4, 16, 64)
WARM_PART: Final = 50
"""One event in so many is applied before the clock starts."""
LEAST_WARM: Final = 200
MEDIANS: Final = (
    "events_per_s",
    "cpu_us_per_event",
    "broker_us_per_event",
    "cores",
    "vectors_per_event",
    "peak_mib",
    "start_s",
)


def throughput(bench: Bench) -> Figures:
    """All contestants, users by rank^-0.8."""
    return race_all(bench, "throughput", bench.options.only, SKEW)


def skewed(bench: Bench) -> Figures:
    """Ours and the loop, users by rank^-1.1: a busy user sets the number of ONNX calls."""
    names = [name for name in bench.options.only if name in ("ours", "loop")]
    return race_all(bench, "skewed", names, SKEWED)


def skews(bench: Bench) -> Figures:
    """Our worker, users by rank^-0.8 to rank^-1.3: a hot user, then a hot partition."""
    found: Figures = {}
    for skew in SKEWS:
        sys.stderr.write(f"  rank^-{skew:g}\n")
        for figures in race_all(bench, f"skews/{skew:g}", ["ours"], skew).values():
            found[f"{skew:g}"] = figures
    return found


def partitions(bench: Bench) -> Figures:
    """Our worker with 4, 16 and 64 partitions of the log, all of them its own."""
    options = bench.options
    found: Figures = {}
    for count in PARTITIONS:
        traffic = make_traffic(options.events, options.users, ITEMS, count)
        place = bench.place("ours-partitions", partitions=count)
        run = bench.race.run(OURS, place, Job(traffic, len(traffic) // WARM_PART))
        say(0, run)
        found[str(count)] = summary([run])
    return found


def race_all(bench: Bench, part: str, names: Sequence[str], skew: float) -> Figures:
    """Rounds in turns, so that the machine's moods are shared out.

    Whoever fails once has no figures and no further turn; the others go on.
    """
    options = bench.options
    traffic = make_traffic(options.events, options.users, ITEMS, options.partitions, skew)
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(options.rounds):
        for name in list(runs):
            contestant = CONTESTANTS[name]
            events = traffic.first(int(options.events * contestant.share))
            warm = max(LEAST_WARM, len(events) // WARM_PART)
            with bench.attempt(failing := f"{part}/{name}"):
                run = bench.race.run(contestant, bench.place(name), Job(events, warm))
                runs[name].append(run)
                say(number, run)
            if failing in bench.failed:
                del runs[name]
    return {name: {"title": CONTESTANTS[name].title, **summary(of)} for name, of in runs.items()}


def say(number: int, run: Run) -> None:
    """A line for each run as it ends."""
    figures = run.figures()
    sys.stderr.write(
        f"  round {number + 1}: {run.contestant:18} {figures['events_per_s']:9,.0f} events/s "
        f"{figures['cpu_us_per_event']:8.1f} us CPU/event  {run.peak_mib:5.0f} MiB\n"
    )


def summary(runs: Sequence[Run]) -> Figures:
    """Median and both ends of each figure, and all runs."""
    figures = [run.figures() for run in runs]
    spread = {
        name: {
            "median": median(f[name] for f in figures),
            "low": min(f[name] for f in figures),
            "high": max(f[name] for f in figures),
        }
        for name in MEDIANS
    }
    cpu = spread["cpu_us_per_event"]["median"]
    return {**spread, "cpu_s_per_million_events": cpu, "runs": figures}
