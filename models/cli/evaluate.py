"""``interest-stream evaluate``: bundles and baselines on the same cases, in one report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from models.baselines import LIVE_METHODS, METHODS, SLOW_METHODS
from models.data.read import FORMATS, read_events
from models.evaluation.entries import parse_entry
from models.protocols import PROTOCOLS, default_protocol
from models.report.assemble import Asked, evaluate, write_report
from models.report.text import text_table

METHODS_HELP: Final = (
    "a bundle's folder, NAME=FOLDER, NAME=FOLDER,FOLDER (one for each seed), one of "
    f"{', '.join(METHODS)}, {', '.join(LIVE_METHODS)} (which go on counting), "
    f"{', '.join(SLOW_METHODS)} (which train for minutes), a .csv file of rules from category to "
    "category (rules learns them), several of these joined by + (a weighted sum, weights chosen on "
    "validation), or A:B, with B for people without a history; default: all the methods that don't "
    "train long, under stream pop-7d and those that go on counting"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "methods",
        nargs="*",
        metavar="BUNDLE-or-METHOD",
        help=METHODS_HELP,
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
    table = read_events(args.data, args.format)
    protocol = args.protocol or default_protocol(table)
    usual = ["pop-7d", *LIVE_METHODS] if protocol == "stream" else METHODS
    entries = [parse_entry(text) for text in args.methods or usual]
    seeds = range(args.first, args.first + args.seeds)
    asked = Asked(args.data.name, protocol, seeds, args.ties, args.validation)
    found = evaluate(entries, table, asked)
    print(text_table(found))
    if args.out is not None:
        print(write_report(args.out, found, entries))
    return 0
