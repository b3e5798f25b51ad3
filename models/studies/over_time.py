"""A study's second half: the same model as it is served, under ``stream``, after it was trained."""

from __future__ import annotations

import argparse
from typing import Any, Final

from models.baselines import LIVE_METHODS
from models.data.table import EventTable
from models.evaluation.entries import parse_entry
from models.report.assemble import Asked, evaluate, write_report
from models.studies.jobs import train_all
from models.studies.plan import OURS, Job, models_of

STREAM: Final = "stream"
BESIDE: Final = ("pop-7d", *LIVE_METHODS)
"""What ours is held against: what goes on counting."""


def lives_on(args: argparse.Namespace, table: EventTable, protocol: str) -> bool:
    """Whether a study also judges over time: its people are held out, and events have times."""
    asked = args.methods in ("cheap", "all") and not args.ablation
    return asked and protocol == "abxi" and bool(table.time_ms.any())


def over_time(args: argparse.Namespace, table: EventTable, began: float) -> dict[str, Any]:
    """The report under ``stream``, in the shape of the study's own; also written to ``stream/``.

    Trains on the first events in the order of the file, with every seed, ranks the later ones.

    Raises:
        DataError: too little is left to train or to rank.
        ModelError: a training failed, or the events are all of one time.
    """
    folder = args.out / STREAM
    seeds = range(args.first, args.first + args.seeds)
    jobs = [Job(OURS, folder / f"{OURS}-{at}", at, "file", tuple(args.set)) for at in seeds]
    train_all(jobs, args, STREAM, began)
    entries = [*models_of(jobs), *map(parse_entry, BESIDE)]
    asked = Asked(args.data.name, STREAM, seeds, "file", args.validation)
    found = evaluate(entries, table, asked)
    print(write_report(folder / "report.json", found, entries))
    return found
