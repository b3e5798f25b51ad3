"""``interest-stream study DATA``: train with several seeds, evaluate, report: from nothing.

The bundles of all seeds are trained beside each other, one process for each core, on the
order of the file and on tied timestamps in random order, where there are times. Then every
method ranks the same test cases. Sizes and ablations, which defaults are chosen from, rank the
validation cases; so does a platform that is taken for a new one (``--grow``). One command for
every dataset, with the same defaults.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from models.baselines import METHODS, SLOW_METHODS
from models.cli.evaluate import (
    TIES_SEED,
    Entry,
    evaluate,
    parse_entry,
    rank_all,
    speeds_of,
    write_report,
)
from models.data.read import read_events
from models.data.table import EventTable, shuffle_ties
from models.errors import DataError, ModelError
from models.protocols.protocols import PROTOCOLS
from models.report.report import ablations, method_figures
from models.report.text import text_table
from models.studies.growth import grow_all
from models.studies.jobs import OURS, Job, outcome, some_users, train_all
from models.studies.variants import ABLATIONS, SIZES, Variant, fitting

# What people get who are served: their vector, or where nothing is known of them what is popular.
_HYBRID: Final = "hybrid"
_ELSE: Final = "pop-30d"
# Methods that learn in seconds or minutes, by --methods.
_BESIDE: Final = {
    "cheap": tuple(METHODS),
    "all": (*METHODS, *SLOW_METHODS),
    "quick": ("pop-all", "pop-30d"),
    "ablations": (),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder or file of events")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of bundles, logs, report.json and .html"
    )
    parser.add_argument("--protocol", choices=tuple(PROTOCOLS), help="default: as evaluate's")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings (default 3)")
    parser.add_argument(
        "--first", type=int, default=0, metavar="SEED", help="seeds SEED to SEED+N-1 (default 0)"
    )
    parser.add_argument(
        "--methods",
        choices=tuple(_BESIDE),
        default="cheap",
        help="beside ours: what learns in seconds (default), also what trains, each ablation and "
        "size (hours), popularity only, or the ablations only, each with every seed; ablations and "
        "sizes rank the validation cases",
    )
    parser.add_argument(
        "--ablation",
        choices=tuple(ABLATIONS),
        metavar="NAME",
        action="append",
        default=[],
        help="train this ablation in place of those of --methods, with every seed where that is "
        "ablations, else with the first; repeatable",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="another value for a setting of ours and all its variants, as of train; repeatable",
    )
    parser.add_argument("--users", type=int, help="only the first so many users")
    parser.add_argument("--epochs", type=int, help="at most so many passes over the data")
    parser.add_argument("--validation", action="store_true", help="rank the validation cases")
    parser.add_argument("--ties", choices=("file", "shuffled", "both"), default="both")
    # Not all cores of the machine: a container may have a few of them.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--jobs", type=int, default=cores or 1, help="processes (default: cores)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep what an earlier run into --out trained with the same settings on the same data",
    )
    parser.add_argument(
        "--grow",
        metavar="PLATFORM",
        help="also draw the curve of a new platform: this one, grown onto a model of the others "
        "with the events of few of its people, and trained from nothing on the same (with "
        "--methods all the last of several)",
    )
    parser.add_argument(
        "--floor",
        metavar="FIGURE=VALUE",
        action="append",
        default=[],
        help="fail where ours is below this on any target, such as ndcg@10=0.15; repeatable",
    )


def run(args: argparse.Namespace) -> int:
    """Train, evaluate, report; 0 when that is done and no figure is below its floor.

    Raises:
        DataError: the data can't be read, or leaves nothing to train or to test on.
        ModelError: a training of ours failed.
    """
    began = time.perf_counter()
    floors = [parse_floor(text) for text in args.floor]
    table = some_users(read_events(args.data), args.users)
    protocol = args.protocol or ("abxi" if table.part is None else "cdrib")
    if not table.time_ms.any():
        args.ties = "file"
    grown = _to_grow(args, table)
    jobs = plan(args, table)
    failed = train_all(jobs, args, protocol, began)
    jobs = [job for job in jobs if job.name not in failed]
    # Ablations are for choosing, so there the test part stays unread altogether.
    args.validation |= args.methods == "ablations"
    found = evaluate(entries_of(jobs, args), table, protocol, args)
    found["not_applicable"] |= failed
    compared, speeds = compare(jobs, table, protocol)
    found |= compared
    found["speed"] |= speeds
    if grown is not None:
        try:
            found["growth"] = grow_all(args, grown, protocol, began)
        except ModelError as error:  # the rest, which took longer, isn't lost for it
            found["not_applicable"][f"{grown} as a new platform"] = str(error)
    found |= {"seconds_total": round(time.perf_counter() - began), "memory_mb": _peak_mb()}
    print(text_table(found))
    write_report(args.out / "report.json", found, [*entries_of(jobs, args), *models_of(jobs)])
    return _hold(found, floors)


def _to_grow(args: argparse.Namespace, table: EventTable) -> str | None:
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


def plan(args: argparse.Namespace, table: EventTable) -> list[Job]:
    """The trainings that a study of a table needs, the longest-awaited first.

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
    return [_job(args, OURS, Variant(()), seed, ties) for ties in orders for seed in seeds] + [
        _job(args, name, variant, seed, orders[0])
        for seed in (seeds if args.methods == "ablations" else seeds[:1])
        for name, variant in variants.items()
    ]


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
    """The rows of the main table: ours, and the methods."""
    ours = models_of([job for job in jobs if job.name == OURS])
    chains = []
    if args.methods in ("cheap", "all"):
        chains = [
            parse_entry(f"{_HYBRID}={','.join(map(str, one.bundles))}:{_ELSE}") for one in ours
        ]
    return [*ours, *chains, *map(parse_entry, _BESIDE[args.methods])]


def models_of(jobs: Sequence[Job]) -> list[Entry]:
    """A row for each model and order of ties, with a bundle for each seed."""
    groups: dict[tuple[str, str], list[str]] = {}
    for job in jobs:
        groups.setdefault((job.name, job.ties), []).append(str(job.folder))
    return [parse_entry(f"{name}={','.join(made)}") for (name, _), made in groups.items()]


def compare(
    jobs: Sequence[Job], table: EventTable, protocol: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sizes and ablations beside ours of the same seeds, on the validation cases.

    Returns:
        What the report gets: ``ablations``, ``sizes`` (ours among them, if there are any), and
        ``compared``, the cases; and the speed of each size.
    """
    variants = [job for job in jobs if job.name != OURS]
    if not variants:
        return {"ablations": {}, "sizes": {}}, {}
    ties, seeds = variants[0].ties, sorted({job.seed for job in variants})
    entries = models_of([job for job in jobs if job.ties == ties and job.seed in seeds])
    ordered = shuffle_ties(table, TIES_SEED) if ties == "shuffled" else table
    run = rank_all(entries, ordered, protocol, seeds, validation=True)
    about = {job.name: (job.changes, outcome(job)) for job in jobs if job.name in ABLATIONS}
    sized = [one for one in entries if one.name in SIZES]
    drawn = [OURS, *(one.name for one in sized)] if sized else []
    compared = {
        "compared": {"part": "validation", "seeds": seeds, "ties": ties},
        "ablations": ablations(run, OURS, about),
        "sizes": {name: method_figures(run.results[name]) for name in drawn},
    }
    return compared, speeds_of(sized)


def parse_floor(text: str) -> tuple[str, float]:
    """``FIGURE=VALUE`` as a pair.

    Raises:
        ModelError: it isn't of that form.
    """
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ModelError(f"--floor {text!r} isn't FIGURE=VALUE, such as ndcg@10=0.15") from None


def _hold(found: dict[str, Any], floors: Sequence[tuple[str, float]]) -> int:
    below = [
        f"{target}: {name} is {figures[name]:.4f}, below {least}"
        for target, figures in found["methods"].get(OURS, {}).items()
        for name, least in floors
        if figures[name] < least
    ]
    for line in below:
        print(f"below the floor: {line}", file=sys.stderr)
    return 1 if below else 0


def _peak_mb() -> int:
    """Most memory of this process or of one of its trainings, MB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1000)
