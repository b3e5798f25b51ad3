"""What a study trains, and what it holds beside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.baselines import METHODS, SLOW_METHODS
from models.data.table import EventTable
from models.errors import DataError
from models.evaluation.entries import Entry, parse_entry
from models.studies.variants import ABLATIONS, SIZES, TIMELESS, Variant, fitting

# What people get who are served: their vector, or where nothing is known of them what is popular.
_HYBRID: Final = "hybrid"
_ELSE: Final = "pop-30d"
# Methods that learn in seconds or minutes, by --methods.
BESIDE: Final = {
    "cheap": tuple(METHODS),
    "all": (*METHODS, *SLOW_METHODS),
    "quick": ("pop-all", "pop-30d"),
    "ablations": (),
}
OURS: Final = "ours"
# Ours without the trend: like the published models, it doesn't know when the ranked event happens.
OURS_TIMELESS: Final = "ours timeless"


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: what the report calls the model.
        folder: of the bundle; the trained model and the log lie beside it.
        seed: everything random.
        ties: order of events of one time, ``file`` or ``shuffled``.
        changes: settings that differ from the preset's, ``NAME=VALUE``, and options of ``train``.
    """

    name: str
    folder: Path
    seed: int
    ties: str
    changes: tuple[str, ...] = ()


def plan(args: argparse.Namespace, table: EventTable, protocol: str) -> list[Job]:
    """The trainings that a study of a table under a protocol needs, the longest-awaited first.

    Raises:
        DataError: the data has nothing for an ablation that was asked for.
    """
    orders = ("file", "shuffled") if args.ties == "both" else (args.ties,)
    seeds = range(args.first, args.first + args.seeds)
    if args.ablation:
        variants = _asked(args.ablation, table)
    else:
        every = {"all": SIZES | ABLATIONS, "ablations": ABLATIONS}.get(args.methods, {})
        variants = fitting(every, table)
    ours = [_job(args, OURS, Variant(()), seed, ties) for ties in orders for seed in seeds]
    if _shows_timeless(args, table, protocol):
        ours += [_job(args, OURS_TIMELESS, TIMELESS, seed, orders[0]) for seed in seeds]
    return ours + [
        _job(args, name, variant, seed, orders[0])
        for seed in (seeds if args.methods == "ablations" else seeds[:1])
        for name, variant in variants.items()
    ]


def _shows_timeless(args: argparse.Namespace, table: EventTable, protocol: str) -> bool:
    """Under ``abxi`` what is published knows no times, so ours is shown without them, too."""
    compared = args.methods in ("cheap", "all") and not args.ablation
    return compared and protocol == "abxi" and bool(table.time_ms.any())


def _asked(names: Sequence[str], table: EventTable) -> dict[str, Variant]:
    """The ablations of these names.

    Raises:
        DataError: the data has nothing for one of them.
    """
    asked = {name: ABLATIONS[name] for name in names}
    found = fitting(asked, table)
    for name, variant in asked.items():
        if name not in found:
            raise DataError(
                f"--ablation {name!r}: the data has nothing for it, it needs {variant.needs}"
            )
    return found


def _job(args: argparse.Namespace, name: str, variant: Variant, seed: int, ties: str) -> Job:
    folder = args.out / "-".join([name.replace(" ", "-").replace(",", ""), ties, str(seed)])
    return Job(name, folder, seed, ties, (*args.set, *variant.changes))


def entries_of(jobs: Sequence[Job], args: argparse.Namespace) -> list[Entry]:
    """The rows of the main table: ours, ours without times, and the methods."""
    ours = models_of([job for job in jobs if job.name == OURS])
    timeless = models_of([job for job in jobs if job.name == OURS_TIMELESS])
    chains = []
    if args.methods in ("cheap", "all"):
        chains = [
            parse_entry(f"{_HYBRID}={','.join(map(str, one.bundles))}:{_ELSE}") for one in ours
        ]
    return [*ours, *timeless, *chains, *map(parse_entry, BESIDE[args.methods])]


def models_of(jobs: Sequence[Job]) -> list[Entry]:
    """A row for each model and order of ties, with a bundle for each seed."""
    groups: dict[tuple[str, str], list[str]] = {}
    for job in jobs:
        groups.setdefault((job.name, job.ties), []).append(str(job.folder))
    return [parse_entry(f"{name}={','.join(made)}") for (name, _), made in groups.items()]


def to_grow(args: argparse.Namespace, table: EventTable) -> str | None:
    """The platform that is taken for a new one, if any.

    Raises:
        DataError: the one that was asked for isn't one of several.
    """
    several = table.platforms if len(table.platforms) > 1 else ()
    if args.grow is not None and args.grow not in several:
        raise DataError(
            f"--grow {args.grow}: the data has {', '.join(table.platforms)}; name one of several"
        )
    return args.grow or (several[-1] if several and args.methods == "all" else None)
