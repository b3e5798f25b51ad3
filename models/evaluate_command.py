"""``interest-stream evaluate``: bundles and baselines on the same cases, in one report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from models.baselines import METHODS, Method, NotApplicableError
from models.data.read import FORMATS, read_events
from models.data.table import EventTable, shuffle_ties
from models.errors import DataError
from models.evaluate import Progress, evaluate_method
from models.protocols import PROTOCOLS, Split
from models.report import Run, report, text_table
from models.served import ServedBundle
from models.speed import step_speed

# Of the shuffle of ties: fixed, so that a bundle can be trained on the same order.
TIES_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report.

    Attributes:
        name: what the report calls it.
        make: the method for a seed, counted from 0.
        bundle: the first seed's folder, None for a baseline.
    """

    name: str
    make: Callable[[int], Method]
    bundle: Path | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "methods",
        nargs="*",
        metavar="BUNDLE-or-METHOD",
        help="a bundle's folder, NAME=FOLDER, NAME=FOLDER,FOLDER (one for each seed), or one of "
        f"{', '.join(METHODS)}; default: all these baselines",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder or file of events")
    parser.add_argument("--format", choices=FORMATS, help="format of the data; default: found out")
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        help="default: cdrib where the data prescribes its split, otherwise abxi",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N-1")
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
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report as JSON")


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
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {args.out}")
    return 0


def parse_entry(text: str) -> Entry:
    """A method's name, or one or several bundle folders with or without a name.

    Raises:
        DataError: it is neither.
    """
    if text in METHODS:
        return Entry(text, lambda seed: METHODS[text]())
    name, given, listed = text.partition("=")
    folders = [Path(folder) for folder in (listed if given else text).split(",")]
    for folder in folders:
        if not (folder / "bundle.json").is_file():
            raise DataError(
                f"{folder}: neither a bundle (no bundle.json) nor a method; the methods are "
                f"{', '.join(METHODS)}"
            )
    label = name if given else folders[0].name
    return Entry(label, lambda seed: ServedBundle(folders[seed % len(folders)]), folders[0])


def evaluate(
    entries: Sequence[Entry], table: EventTable, protocol: str, args: argparse.Namespace
) -> dict[str, Any]:
    """The report of all entries under a protocol.

    Raises:
        DataError: no test cases are left, or a bundle was trained under another protocol.
        ModelError: the protocol doesn't fit the data.
    """
    seeds = range(args.seeds)
    in_file = [entry for entry in entries if not _trained_on_shuffled(entry)]
    mixed = [entry for entry in entries if entry.bundle is None or _trained_on_shuffled(entry)]
    ties = args.ties if table.time_ms.any() else "file"
    plain = _run(in_file, table, protocol, seeds, args) if ties != "shuffled" else Run()
    shuffled = None
    if ties != "file":
        shuffled = _run(mixed, shuffle_ties(table, TIES_SEED), protocol, seeds, args)
    about = {
        "data": args.data.name,
        "protocol": protocol,
        "part": "validation" if args.validation else "test",
        "seeds": list(seeds),
    }
    return report(plain, shuffled, about) | _speed(entries)


def _trained_on_shuffled(entry: Entry) -> bool:
    """Whether a bundle learned from shuffled ties: only there its test events are unseen."""
    return entry.bundle is not None and (
        ServedBundle(entry.bundle).training.get("ties") == "shuffled"
    )


def _run(
    entries: Sequence[Entry],
    table: EventTable,
    protocol: str,
    seeds: range,
    args: argparse.Namespace,
) -> Run:
    made = Run(ours=[entry.name for entry in entries if entry.bundle is not None])
    for seed in seeds:
        split = PROTOCOLS[protocol](table, seed)
        if not len(split.test):
            users = f"{len(table)} events of {len(table.users)} users"
            raise DataError(f"{protocol} leaves no test cases of {users}; give longer histories")
        for entry in entries:
            if entry.name not in made.skipped:
                _run_one(entry, split, seed, made, args.validation)
    return made


def _run_one(entry: Entry, split: Split, seed: int, made: Run, validation: bool) -> None:
    cases = split.validation if validation else split.test
    method = entry.make(seed)
    if isinstance(method, ServedBundle):
        _check_protocol(method, split)
    try:
        with _bar(f"{entry.name}, seed {seed}", len(cases)) as progress:
            result = evaluate_method(method, split, seed, cases, progress)
    except NotApplicableError as error:
        made.skipped[entry.name] = str(error)
    else:
        made.results.setdefault(entry.name, []).append(result)


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


def _speed(entries: Sequence[Entry]) -> dict[str, float]:
    """Step speed of the first bundle, nothing where there is none."""
    folders = [entry.bundle for entry in entries if entry.bundle is not None]
    return step_speed(folders[0]) if folders else {}
