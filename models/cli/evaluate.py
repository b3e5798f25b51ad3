"""``interest-stream evaluate``: bundles and baselines on the same cases, in one report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from models.baselines import (
    METHODS,
    SLOW_METHODS,
    Blend,
    CategoryRules,
    Chain,
    Method,
    NotApplicableError,
    read_rules,
)
from models.data.read import FORMATS, read_events
from models.data.table import EventTable, shuffle_ties
from models.errors import DataError
from models.evaluation.evaluate import Progress, evaluate_method
from models.evaluation.label_metrics import label_figures
from models.evaluation.served import ServedBundle
from models.evaluation.step_speed import step_speed
from models.items.trend import ALL_TIME
from models.protocols.protocols import PROTOCOLS, Split
from models.report.page import html_page
from models.report.report import Run, report
from models.report.text import text_table

# Of the shuffle of ties: fixed, so that a bundle can be trained on the same order.
TIES_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report.

    Attributes:
        name: what the report calls it.
        make: the method for the run's first seed, its second, ..., counted from 0.
        bundles: folders of the bundles in it, none for a baseline.
    """

    name: str
    make: Callable[[int], Method]
    bundles: tuple[Path, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "methods",
        nargs="*",
        metavar="BUNDLE-or-METHOD",
        help="a bundle's folder, NAME=FOLDER, NAME=FOLDER,FOLDER (one for each seed), one of "
        f"{', '.join(METHODS)} (or {', '.join(SLOW_METHODS)}, which train for minutes), a .csv "
        "file of rules from category to category (rules learns them), several of these joined by "
        "+ (a weighted sum, weights chosen on validation), or A:B, with B for people without a "
        "history; default: all the methods that don't train long",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder or file of events")
    parser.add_argument("--format", choices=FORMATS, help="format of the data; default: found out")
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        help="default: cdrib where the data prescribes its split, otherwise abxi",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="so many (default 1)")
    parser.add_argument(
        "--first", type=int, default=0, metavar="SEED", help="seeds SEED to SEED+N-1 (default 0)"
    )
    parser.add_argument(
        "--validation",
        action="store_true",
        help="rank the validation cases: for choosing anything, so that the test part stays unread",
    )
    parser.add_argument(
        "--ties",
        choices=("file", "shuffled", "both"),
        default="both",
        help="order of events of one time: the file's, random, or a report of both (default)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the report as JSON, and beside it as a page (.html)",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the report; 0 when that is done.

    Raises:
        DataError: the data can't be read, or a name is neither a bundle nor a method.
        ModelError: the protocol doesn't fit the data.
    """
    entries = [parse_entry(text) for text in args.methods or METHODS]
    table = read_events(args.data, args.format)
    protocol = args.protocol or ("abxi" if table.part is None else "cdrib")
    found = evaluate(entries, table, protocol, args)
    print(text_table(found))
    if args.out is not None:
        write_report(args.out, found, entries)
    return 0


def write_report(out: Path, found: dict[str, Any], entries: Sequence[Entry]) -> None:
    """Write ``out`` as JSON, and beside it the page, with the learning curves of bundles.

    Of several entries of one name (ours on ties in the file's order, and shuffled) the first
    one's curve is drawn, which is the main table's.
    """
    page = out.with_suffix(".html")
    curves = {
        entry.name: ServedBundle(entry.bundles[0]).training.get("epochs", [])
        for entry in reversed(entries)
        if entry.bundles
    }
    curves = {name: curves[name] for name in reversed(curves)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page.write_text(html_page(found, curves), encoding="utf-8")
    print(f"\nwritten to {out} and {page}")


def parse_entry(text: str) -> Entry:
    """A method, one or several bundle folders, or a sum of such, with or without a name.

    Raises:
        DataError: it is none of these.
    """
    name, given, what = text.partition("=")
    known, chained, unknown = (what if given else text).partition(":")
    entry = _parse_sum(known)
    if chained:
        entry = _chain(entry, _parse_sum(unknown))
    return replace(entry, name=name) if given else entry


def _parse_sum(text: str) -> Entry:
    terms = [_parse_term(term) for term in text.split("+")]
    if len(terms) == 1:
        return terms[0]
    bundles = tuple(folder for term in terms for folder in term.bundles)
    label = "+".join(term.name for term in terms)
    return Entry(label, lambda at: Blend([term.make(at) for term in terms]), bundles)


def _chain(known: Entry, unknown: Entry) -> Entry:
    return Entry(
        f"{known.name}:{unknown.name}",
        lambda at: Chain(known.make(at), unknown.make(at)),
        known.bundles + unknown.bundles,
    )


def _parse_term(text: str) -> Entry:
    every = METHODS | SLOW_METHODS
    if text in every:
        return Entry(text, lambda at: every[text]())
    if text.endswith(".csv"):
        given = read_rules(Path(text))
        return Entry(Path(text).stem, lambda at: CategoryRules(given))
    folders = tuple(Path(folder) for folder in text.split(","))
    for folder in folders:
        if not (folder / "bundle.json").is_file():
            raise DataError(
                f"{folder}: neither a bundle (no bundle.json) nor a method; the methods are "
                f"{', '.join(every)}"
            )
    return Entry(folders[0].name, lambda at: ServedBundle(folders[at % len(folders)]), folders)


def evaluate(
    entries: Sequence[Entry], table: EventTable, protocol: str, args: argparse.Namespace
) -> dict[str, Any]:
    """The report of all entries under a protocol.

    Raises:
        DataError: no test cases are left, or a bundle was trained under another protocol.
        ModelError: the protocol doesn't fit the data.
    """
    seeds = range(args.first, args.first + args.seeds)
    in_file = [entry for entry in entries if not _trained_on_shuffled(entry)]
    mixed = [entry for entry in entries if not entry.bundles or _trained_on_shuffled(entry)]
    ties = args.ties if table.time_ms.any() else "file"
    plain = Run()
    if ties != "shuffled":
        plain = rank_all(in_file, table, protocol, seeds, args.validation)
    shuffled = None
    if ties != "file":
        tied = shuffle_ties(table, TIES_SEED)
        shuffled = rank_all(mixed, tied, protocol, seeds, args.validation)
    about = {
        "data": args.data.name,
        "protocol": protocol,
        "part": "validation" if args.validation else "test",
        "seeds": list(seeds),
        "sees_time": [entry.name for entry in entries if _sees_time(entry)],
    }
    speeds = speeds_of(entries)
    return report(plain, shuffled, about) | next(iter(speeds.values()), {}) | {"speed": speeds}


def _trained_on_shuffled(entry: Entry) -> bool:
    """Whether bundles learned from shuffled ties: only there their test events are unseen."""
    return any(ServedBundle(b).training.get("ties") == "shuffled" for b in entry.bundles)


def _sees_time(entry: Entry) -> bool:
    """Whether a bundle has a trend of some days, which is counted up to the ranked event."""
    windows = [days for b in entry.bundles for days in ServedBundle(b).contract.trend_days]
    return any(days < ALL_TIME for days in windows)


def rank_all(
    entries: Sequence[Entry],
    table: EventTable,
    protocol: str,
    seeds: Sequence[int],
    validation: bool,
) -> Run:
    """Every entry with every seed on the same test cases, or validation cases.

    Raises:
        DataError: no test cases are left, or a bundle was trained under another protocol.
        ModelError: the protocol doesn't fit the data.
    """
    made = Run(ours=[entry.name for entry in entries if entry.bundles])
    for at, seed in enumerate(seeds):
        split = PROTOCOLS[protocol](table, seed)
        if not len(split.test):
            users = f"{len(table)} events of {len(table.users)} users"
            raise DataError(f"{protocol} leaves no test cases of {users}; give longer histories")
        for entry in entries:
            if entry.name not in made.skipped:
                _run_one(entry, entry.make(at), split, seed, made, validation)
    return made


def _run_one(
    entry: Entry, method: Method, split: Split, seed: int, made: Run, validation: bool
) -> None:
    cases = split.validation if validation else split.test
    for folder in entry.bundles:
        _check_protocol(ServedBundle(folder), split)
    try:
        with _bar(f"{entry.name}, seed {seed}", len(cases)) as progress:
            result = evaluate_method(method, split, seed, cases, progress)
    except NotApplicableError as error:
        made.skipped[entry.name] = str(error)
    else:
        made.results.setdefault(entry.name, []).append(result)
        if isinstance(method, ServedBundle) and entry.name not in made.labels:
            made.labels[entry.name] = label_figures(method, split, cases)


def _check_protocol(method: ServedBundle, split: Split) -> None:
    trained = method.training.get("protocol")
    if trained is not None and trained != split.protocol:
        raise DataError(
            f"{method.path}: was trained with --protocol {trained}, so the test events of "
            f"{split.protocol} may have been in its training; train it with "
            f"--protocol {split.protocol}"
        )


@contextmanager
def _bar(what: str, total: int) -> Iterator[Progress]:
    with tqdm(
        total=total, desc=what, unit="case", disable=not sys.stderr.isatty(), leave=False
    ) as bar:
        yield lambda done: (bar.update(done), None)[1]


def speeds_of(entries: Sequence[Entry]) -> dict[str, dict[str, float]]:
    """Name -> step speed of the first bundle, for each entry that has one."""
    first = {entry.name: entry.bundles[0] for entry in reversed(entries) if entry.bundles}
    return {name: step_speed(first[name]) for name in reversed(first)}
