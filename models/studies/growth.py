"""The growth curve of a study: one process for each seed, the mean of all in the report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np

from models.config import parse_changes, preset
from models.data.read import read_events
from models.growth.curve import Point, growth_curve
from models.report.figures import mean_and_spread
from models.studies.jobs import processes, some_users


def grow_all(args: argparse.Namespace, name: str, protocol: str, began: float) -> dict[str, Any]:
    """Grow the platform ``name`` with every seed.

    Args:
        args: of ``study``.
        name: of the platform that is taken for a new one.
        protocol: whose validation cases are ranked.
        began: ``time.perf_counter()`` at the study's start, for the lines that tell of it.

    Returns:
        What the report gets as ``growth``.

    Raises:
        DataError: the data hasn't several platforms and ``name`` among them, or is too little.
    """
    seeds = list(range(args.first, args.first + args.seeds))
    curves = []
    with processes(args.jobs) as pool:
        waiting = {
            pool.submit(
                grow_job, args.data, args.users, name, protocol,
                [*args.set, f"seed={seed}", *([f"epochs={args.epochs}"] if args.epochs else [])],
            ): seed
            for seed in seeds
        }  # fmt: skip
        for done in as_completed(waiting):
            curves.append(done.result())
            told = f"{time.perf_counter() - began:6.0f} s  {name} as a new platform"
            print(f"{told}, seed {waiting[done]}", flush=True)
    return growth_report(name, seeds, curves)


def grow_job(
    data: Path, users: int | None, name: str, protocol: str, changes: Sequence[str]
) -> list[Point]:
    """One seed's curve; arguments as of ``models.studies.jobs.train_job``."""
    table = some_users(read_events(data), users)
    return growth_curve(table, name, protocol, preset("base", **parse_changes(changes)))


def growth_report(
    name: str, seeds: Sequence[int], curves: Sequence[Sequence[Point]]
) -> dict[str, Any]:
    """The curves of several seeds as one: for each share the mean of each figure."""
    return {
        "platform": name,
        "part": "validation",
        "seeds": list(seeds),
        "points": [
            {
                "share": points[0].share,
                "people": points[0].people,
                "events": round(float(np.mean([point.events for point in points]))),
                "grown": mean_and_spread([point.grown for point in points]),
                "scratch": mean_and_spread([point.scratch for point in points]),
            }
            for points in zip(*curves, strict=True)
        ],
    }
