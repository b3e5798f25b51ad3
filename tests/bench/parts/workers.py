"""One, two and four of our workers in one group, each told what its core gives it.

Two cores hold them and the broker, so the clock says little. What says more is the workers'
CPU time (the broker's apart). Twice the workers get twice the events, so that none has less to
do than one alone. Two figures, as partitions aren't equally busy:

- ``events_per_cpu_s``: what they do in a second of a core each, if all were as busy;
- ``events_per_busiest_cpu_s``: what they do while the busiest of them works for a second.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from statistics import median
from typing import Final

from tests.bench.graph import ITEMS
from tests.bench.parts.recovery import http_port, is_ready
from tests.bench.race.contestant import Place
from tests.bench.race.contestants import OURS
from tests.bench.race.ours import ours_command
from tests.bench.race.race import START_S, Job, Run
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import make_traffic

COUNTS: Final = (1, 2, 4)
PARTITIONS: Final = 8


def workers(bench: Bench) -> Figures:
    """As many events for each of 1, 2 and 4 workers."""
    runs: dict[int, list[Run]] = {count: [] for count in COUNTS}
    for number in range(bench.options.rounds):
        for count in COUNTS:
            run = _run(bench, count)
            runs[count].append(run)
            sys.stderr.write(
                f"  round {number + 1}: {count} workers, {_figures(run)['events_per_cpu_s']:9,.0f} "
                f"events in a CPU second of each\n"
            )
    return {str(count): _summary(found) for count, found in runs.items()}


def _figures(run: Run) -> Figures:
    return run.figures() | {
        "events_per_cpu_s": len(run.cpu_s) * run.events / sum(run.cpu_s),
        "events_per_busiest_cpu_s": run.events / max(run.cpu_s),
    }


def _summary(runs: list[Run]) -> Figures:
    figures = [_figures(run) for run in runs]
    found: Figures = {"runs": figures}
    for name in ("events_per_cpu_s", "events_per_busiest_cpu_s"):
        speeds = [run[name] for run in figures]
        found[name] = {"median": median(speeds), "low": min(speeds), "high": max(speeds)}
    return found


def _run(bench: Bench, count: int) -> Run:
    options = bench.options
    traffic = make_traffic(count * options.events, options.users, ITEMS, PARTITIONS)
    place = bench.place(f"ours-x{count}", partitions=PARTITIONS)
    homes = [replace(place, folder=place.folder / str(number)) for number in range(count)]
    cores = [bench.core, bench.other_core]
    commands = [(ours_command(home), cores[n % 2]) for n, home in enumerate(homes)]
    bench.race.topics.make([place.events], PARTITIONS)
    job = Job(traffic, options.events // 20, settled=lambda: _all_ready(homes))
    return bench.race.run(OURS, place, job, commands=commands)


def _all_ready(homes: list[Place]) -> None:
    """Every worker has partitions and has recovered them."""
    deadline = time.monotonic() + START_S
    while not all(is_ready(f"http://127.0.0.1:{http_port(home)}") for home in homes):
        assert time.monotonic() < deadline, "not all workers got ready"
        time.sleep(0.1)
