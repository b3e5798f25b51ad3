"""From a changelog to an empty disk: how long until a worker works, ours and stock Faust's.

When it is ready, one event more of a user shows that the history is there: the vector must say
of all events before and this one.
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from tests.bench.parts.clones import real_rows, seed
from tests.bench.parts.history import later
from tests.bench.peers import job
from tests.bench.race.contestant import Contestant, Place
from tests.bench.race.contestants import FAUST, OURS
from tests.bench.race.process import Pinned, memory_mib
from tests.bench.race.race import Job
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import START_MS, Traffic, produce

HISTORY: Final = 100
LONGEST_S: Final = 1800.0
LOOK_S: Final = 0.05

Ready = Callable[[Pinned, Place], bool]


def recovery(bench: Bench) -> Figures:
    """Our worker and stock Faust, an empty disk, the same number of users in the changelog."""
    rows = {OURS.name: real_rows(bench, [HISTORY])[HISTORY], FAUST.name: [_peer_row()]}
    found: Figures = {"users": bench.options.recovery_users}
    ready: dict[str, Ready] = {OURS.name: _ours_ready, FAUST.name: _faust_ready}
    for contestant in (OURS, FAUST):
        name = contestant.name
        with bench.attempt(f"recovery/{name}"):
            found[name] = _recovered(bench, contestant, rows[name], ready[name])
    return found


def _recovered(bench: Bench, contestant: Contestant, rows: list[bytes], ready: Ready) -> Figures:
    """Starts with an empty changelog, and one with all users in it."""
    users = bench.options.recovery_users
    empty = [_ready_after(bench, contestant, [], 0, ready) for _ in range(bench.options.rounds)]
    starts = [run["seconds"] for run in empty]
    start = median(starts)
    whole = _ready_after(bench, contestant, rows, users, ready)
    seconds = whole["seconds"] - start
    sys.stderr.write(
        f"  {contestant.name:6} starts in {start:.1f} s, recovers {users:,} users in "
        f"{seconds:.1f} s\n"
    )
    return {
        "start_s": {"median": start, "low": min(starts), "high": max(starts)},
        "recovery_s": seconds,
        "cpu_s": whole["cpu_s"] - median(run["cpu_s"] for run in empty),
        "memory_mib": whole["memory_mib"],
        "row_bytes": len(rows[0]),
        "store_bytes_per_user": whole["store_bytes"] / users,
    }


def _peer_row() -> bytes:
    row = np.zeros((), job.ROW)
    row["count"] = HISTORY
    row["state"] = np.linspace(-1, 1, job.WIDTH)
    row["ring"]["time_ms"] = START_MS
    return row.tobytes()


def _ready_after(
    bench: Bench, contestant: Contestant, rows: list[bytes], users: int, ready: Ready
) -> dict[str, float]:
    """Seconds from the process's start until it is ready; with users, their history is there."""
    place, topics = bench.place(f"{contestant.name}-recovery"), bench.race.topics
    nobody = np.zeros(0, np.int64)
    everybody = Traffic(users, nobody, nobody, nobody, nobody, place.partitions)
    changelog = contestant.changelog(place)
    assert changelog is not None
    before = topics.names()
    topics.make([changelog, place.events, *contestant.topics(place)[:1]], place.partitions)
    seed(place, changelog, rows, everybody)
    command = contestant.command(place)
    try:
        with Pinned(command, bench.core, place.folder / "log-0.txt") as process:
            while not ready(process, place):
                process.check()
                assert time.monotonic() - process.started < LONGEST_S, f"{place.name} isn't ready"
                time.sleep(LOOK_S)
            found = {
                "seconds": time.monotonic() - process.started,
                "cpu_s": process.cpu(),
                "memory_mib": memory_mib(process.pid),
                "store_bytes": float(folder_bytes(place.folder / "state")),
            }
            if users:
                _must_go_on(bench, contestant, place, process)
            return found
    finally:
        topics.delete(sorted(topics.names() - before))


def _must_go_on(bench: Bench, contestant: Contestant, place: Place, process: Pinned) -> None:
    """An event of a user makes it its history and one.

    Raises:
        EndedError: another count, or no vector.
    """
    one, race = one_event(place.partitions), bench.race
    values = contestant.records(place, one, bench.model.items)
    produce(race.producer, place.events, one, values, 0)
    race.until_applied(contestant, place, Job(one, 0, history=HISTORY), [process], 1)


def one_event(partitions: int) -> Traffic:
    """An event of the first user, after everything in the copied histories."""
    first, time_ms = np.zeros(1, np.int64), np.full(1, START_MS, np.int64)
    return later(Traffic(1, first, first, first, time_ms, partitions))


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def http_port(place: Place) -> str:
    """Port of our worker's web server."""
    text = (place.folder / "worker.toml").read_text()
    return text.partition("port = ")[2].split()[0]


def _ours_ready(process: Pinned, place: Place) -> bool:
    return is_ready(f"http://127.0.0.1:{http_port(place)}")


def is_ready(url: str) -> bool:
    """Whether one of our workers says so."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _faust_ready(process: Pinned, place: Place) -> bool:
    return "Worker ready" in process.log.read_text(errors="replace")
