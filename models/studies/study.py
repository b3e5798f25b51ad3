"""A study from nothing: train with several seeds, evaluate, report.

The bundles of all seeds are trained beside each other, one process for each core, on the
order of the file and on tied timestamps in random order, where there are times. Then every
method ranks the same test cases. Sizes and ablations, which defaults are chosen from, rank the
validation cases; so does a platform that is taken for a new one (``--grow``).
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from models.data.read import read_events
from models.data.table import EventTable, shuffle_ties
from models.errors import ModelError
from models.evaluation.entries import speeds_of
from models.evaluation.run import rank_all
from models.protocols import default_protocol
from models.report.assemble import Asked, evaluate, write_report
from models.report.comparisons import ablations
from models.report.figures import method_figures
from models.report.text import text_table
from models.studies.growth import grow_all
from models.studies.jobs import outcome, some_users, train_all
from models.studies.over_time import STREAM, lives_on, over_time
from models.studies.plan import OURS, OURS_TIMELESS, Job, entries_of, models_of, plan, to_grow
from models.studies.variants import ABLATIONS, SIZES


def study(args: argparse.Namespace) -> int:
    """Train, evaluate, report; 0 when that is done and no figure is below its floor.

    Raises:
        DataError: the data can't be read, or leaves nothing to train or to test on.
        ModelError: a training of ours failed.
    """
    began = time.perf_counter()
    floors = [parse_floor(text) for text in args.floor]
    table = some_users(read_events(args.data), args.users)
    protocol = args.protocol or default_protocol(table)
    if not table.time_ms.any():
        args.ties = "file"
    grown = to_grow(args, table)
    jobs = plan(args, table, protocol)
    failed = train_all(jobs, args, protocol, began)
    jobs = [job for job in jobs if job.name not in failed]
    # Ablations are for choosing, so there the test part stays unread altogether.
    args.validation |= args.methods == "ablations"
    seeds = range(args.first, args.first + args.seeds)
    asked = Asked(args.data.name, protocol, seeds, args.ties, args.validation)
    found = evaluate(entries_of(jobs, args), table, asked)
    found["not_applicable"] |= failed
    compared, speeds = compare(jobs, table, protocol)
    found |= compared
    found["speed"] |= speeds
    parts, refused = _more(args, table, protocol, grown, began)
    found |= parts
    found["not_applicable"] |= refused
    found |= {"seconds_total": round(time.perf_counter() - began), "memory_mb": _peak_mb()}
    print(text_table(found))
    every = [*entries_of(jobs, args), *models_of(jobs)]
    print(write_report(args.out / "report.json", found, every))
    return _hold(found, floors)


def _more(
    args: argparse.Namespace, table: EventTable, protocol: str, grown: str | None, began: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """Parts of the report that aren't always there, and why one failed: the rest isn't lost."""
    wanted: list[tuple[str, str, Callable[[], Any]]] = []
    if grown is not None:
        called = f"{grown} as a new platform"
        wanted.append(("growth", called, lambda: grow_all(args, grown, protocol, began)))
    if lives_on(args, table, protocol):
        wanted.append((STREAM, STREAM, lambda: over_time(args, table, began)))
    made, refused = {}, {}
    for key, called, make in wanted:
        try:
            made[key] = make()
        except ModelError as error:
            refused[called] = str(error)
    return made, refused


def compare(
    jobs: Sequence[Job], table: EventTable, protocol: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sizes and ablations beside ours of the same seeds, on the validation cases.

    Returns:
        What the report gets: ``ablations``, ``sizes`` (ours among them, if there are any), and
        ``compared``, the cases; and the speed of each size.
    """
    variants = [job for job in jobs if job.name not in (OURS, OURS_TIMELESS)]
    if not variants:
        return {"ablations": {}, "sizes": {}}, {}
    ties, seeds = variants[0].ties, sorted({job.seed for job in variants})
    same = [job for job in jobs if job.ties == ties and job.seed in seeds]
    entries = models_of([job for job in same if job.name != OURS_TIMELESS])
    ordered = shuffle_ties(table) if ties == "shuffled" else table
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
