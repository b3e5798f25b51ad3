"""A seed of the simulator is one run wherever it is tried: in any process, whatever its hashes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.simulation.machines.flight import Rules
from tests.simulation.machines.tally import Tally
from tests.simulation.machines.world import World
from tests.simulation.mutations import MUTATIONS
from tests.simulation.schedules.seeds import make_schedule

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(10)
CHILD = (sys.executable, "-c", "from tests.unit.test_seeds import digest; print(digest())")


def digest() -> str:
    """Every record ever written, last vectors, commits and counts of some seeds."""
    told = hashlib.sha256()
    for seed in SEEDS:
        world = World(make_schedule(seed), Rules(), Tally())
        world.run()
        logs = {place: log.history for place, log in world.broker.logs.items()}
        for found in (logs, world.broker.vectors, world.broker.group.committed):
            told.update(repr(sorted(found.items(), key=repr)).encode())
        told.update(repr(asdict(world.tally)).encode())
    return told.hexdigest()


def test_seeds_are_the_same_runs_in_processes_whose_hashes_differ() -> None:
    children = [
        subprocess.Popen(
            CHILD, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE
        )
        for seed in ("1", "2")
    ]
    said = [child.communicate(timeout=300)[0].decode().strip() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert said[0] == said[1] != ""


def test_the_docs_say_how_many_protections_are_switched_off() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    assert f"{len(MUTATIONS)} of them" in text
