"""What an event costs after 10, 100, 1,000 and 10,000 events of its user; bytes of a user."""

from __future__ import annotations

import sys
from statistics import median
from typing import Final

from streams.windows.layout import Layout
from tests.bench.graph import ITEMS, WIDTH
from tests.bench.parts.clones import real_rows, seed
from tests.bench.race.contestants import OURS
from tests.bench.race.race import Job
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import Traffic, make_traffic

HISTORIES: Final = (10, 100, 1_000, 10_000)
USERS: Final = 5_000
EACH: Final = 10
"""Events of each user that are measured; a history of 10 is one of 20 at the end."""
LATER_MS: Final = 86_400_000 * 2


def history(bench: Bench) -> Figures:
    """Our worker, users with 10 to 10,000 events before: CPU per event, bytes per user."""
    rows = real_rows(bench, HISTORIES)
    costs: dict[int, list[float]] = {number: [] for number in HISTORIES}
    for turn in range(bench.options.rounds):
        for number in HISTORIES:
            costs[number].append(_cost(bench, rows[number], number))
            sys.stderr.write(
                f"  round {turn + 1}: {number:6,} before: {costs[number][-1]:.1f} us CPU/event\n"
            )
    return {
        str(number): {
            "cpu_us_per_event": {"median": median(found), "low": min(found), "high": max(found)},
            "runs": [{"cpu_us_per_event": cost} for cost in found],
            **row_bytes(rows[number][0]),
        }
        for number, found in costs.items()
    }


def later(traffic: Traffic) -> Traffic:
    """The same events, after everything in the copied histories."""
    return Traffic(
        traffic.users,
        traffic.user,
        traffic.item,
        traffic.action,
        traffic.time_ms + LATER_MS,
        traffic.partitions,
    )


def _cost(bench: Bench, rows: list[bytes], before: int) -> float:
    options = bench.options
    drawn = make_traffic(USERS * (EACH + 2), USERS, ITEMS, options.partitions, skew=0.0)
    place = bench.place("ours-history")
    changelog = OURS.changelog(place)
    assert changelog is not None
    bench.race.topics.make([changelog], options.partitions)
    seed(place, changelog, rows, drawn)
    job = Job(later(drawn), warm=USERS * 2, history=before, checked=False)
    run = bench.race.run(OURS, place, job)
    bench.race.topics.delete([changelog])
    return sum(run.cpu_s) * 1e6 / run.events


def row_bytes(value: bytes) -> Figures:
    """Bytes of a stored user, and how many of them are interest states."""
    layout = Layout(value[1], 8 * value[3], value[2])
    snapshots = (value[0] & 15) if value[0] & 15 <= 2 else 0
    states = (1 + snapshots) * layout.state_bytes
    assert layout.state_size == WIDTH
    return {
        "bytes": len(value),
        "state_bytes": layout.state_bytes,
        "snapshot_bytes": states - layout.state_bytes,
        "bytes_beside_states": len(value) - states,
    }


def full_window(figures: Figures) -> Figures:
    """Bytes of a user whose window is full."""
    found: Figures = figures[str(max(HISTORIES))]
    return found
