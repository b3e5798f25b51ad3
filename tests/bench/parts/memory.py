"""Resident memory of 100,000 active users."""

from __future__ import annotations

import sys
from dataclasses import replace
from statistics import median
from typing import Any, Final

import numpy as np

from streams.runtime.services.memory import GIVE_BACK_S
from tests.bench.graph import ITEMS
from tests.bench.parts.clones import real_rows, seed
from tests.bench.parts.history import later
from tests.bench.race.contestants import OURS
from tests.bench.race.ours import ours_command
from tests.bench.race.process import MIB
from tests.bench.race.race import Job, Run
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import Traffic, make_traffic

FEW: Final = 10_000
"""More than a batch has, so that what a batch takes is in both figures."""
MANY: Final = 110_000
"""So many are in the changelog, and twice as many events come, however many are active."""
REST_S: Final = 1.5 * GIVE_BACK_S
"""What a batch took and left is given back by then; what stays is what the users take."""
HISTORY: Final = 100
"""Users with full windows."""
ROOMS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "all_in_memory": {"users_in_memory": 131_072},
}


def memory(bench: Bench) -> Figures:
    """A worker with 110,000 active users against 10,000 of them: by default, all in memory."""
    rows = real_rows(bench, [HISTORY])[HISTORY]
    return {name: _grown(bench, rows, name, service) for name, service in ROOMS.items()}


def _grown(bench: Bench, rows: list[bytes], name: str, service: dict[str, Any]) -> Figures:
    """Medians of the rounds, and of the difference of two runs also both ends: it wanders."""
    runs = []
    for turn in range(bench.options.rounds):
        few, many = (_resident(bench, rows, users, service) for users in (FEW, MANY))
        grown = (many.memory_mib - few.memory_mib) * MIB / 1e6
        figures = many.figures()
        runs.append(
            {
                "few_mib": few.memory_mib,
                "many_mib": many.memory_mib,
                "many_peak_mib": many.peak_mib,
                "mb_per_100k_users": grown * 100_000 / (MANY - FEW),
                # Every event is another user's: what a batch of real traffic is like.
                "cpu_us_per_event": figures["cpu_us_per_event"],
                "broker_us_per_event": figures["broker_us_per_event"],
                "vectors_per_event": figures["vectors_per_event"],
            }
        )
        say = f"round {turn + 1}: {name}: {runs[-1]['mb_per_100k_users']:.0f} MB/100,000 users"
        sys.stderr.write(f"  {say}\n")
    grown_mb = [run["mb_per_100k_users"] for run in runs]
    medians = {figure: median(run[figure] for run in runs) for figure in runs[0]}
    ends = {"mb_per_100k_users_low": min(grown_mb), "mb_per_100k_users_high": max(grown_mb)}
    return {**medians, **ends, "runs": runs}


def traffic_of(active: int, partitions: int) -> Traffic:
    """The same events of so many users in turns; all users are known, whoever is active."""
    drawn = make_traffic(2 * MANY, MANY, ITEMS, partitions)
    return later(replace(drawn, user=np.arange(len(drawn)) % active))


def _resident(bench: Bench, rows: list[bytes], active: int, service: dict[str, Any]) -> Run:
    """A run in which every active user has two events or more; recovery and backlog are alike."""
    options = bench.options
    traffic = traffic_of(active, options.partitions)
    place, topics = bench.place("ours-memory"), bench.race.topics
    changelog = OURS.changelog(place)
    assert changelog is not None
    topics.make([changelog, place.events], options.partitions)
    seed(place, changelog, rows, traffic)
    job = Job(traffic, FEW // 5, history=HISTORY, checked=False, rest_s=REST_S)
    commands = [(ours_command(place, service=service), bench.core)]
    run = bench.race.run(OURS, place, job, commands=commands)
    topics.delete([changelog])
    return run
