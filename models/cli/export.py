"""``interest-stream export CHECKPOINT --out BUNDLE``: a trained model as a bundle.

With ``--compare DATA`` also what float16, int8 and pruning cost and gain, in one table.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from export.pipeline import export_bundle
from export.report import print_metrics
from models.data.read import FORMATS, read_events
from models.errors import ModelError
from models.studies.compare_forms import CASES, compare
from models.studies.forms_table import text_table
from models.training.checkpoint import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="the .pt file that `train` wrote"
    )
    parser.add_argument("--out", type=Path, help="folder of the bundle to write")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="DATA",
        help="hold float32, int8 and pruned forms beside what ships: size, speed, and quality on "
        "validation cases of DATA, which the model was trained on",
    )
    parser.add_argument("--format", choices=FORMATS, help="format of DATA; found out if left out")
    parser.add_argument(
        "--cases", type=int, default=CASES, help=f"validation cases at most (default {CASES:,})"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="the comparison as JSON (default: beside the checkpoint, NAME.compare.json)",
    )


def run(args: argparse.Namespace) -> int:
    """Export, check, measure, write; 0 when bundle or comparison are there.

    Raises:
        DataError: the data can't be read, or has a platform that the model doesn't know.
        ModelError: the file isn't a checkpoint, or nothing is asked for.
        ExportError: the graphs disagree with torch.
    """
    if args.out is None and args.compare is None:
        raise ModelError("say what to make: --out BUNDLE, --compare DATA, or both")
    checkpoint = Checkpoint.load(args.checkpoint)
    if args.out is not None:
        print_metrics(export_bundle(checkpoint, args.out), args.out)
    if args.compare is not None:
        _compare(checkpoint, args)
    return 0


def _compare(checkpoint: Checkpoint, args: argparse.Namespace) -> None:
    table = read_events(args.compare, args.format)
    with tqdm(unit="form", disable=not sys.stderr.isatty(), leave=False) as bar:
        found = compare(checkpoint, table, args.cases, lambda name: _move(bar, name))
    found |= {"checkpoint": args.checkpoint.name, "data": args.compare.name}
    print(text_table(found))
    report = args.report or args.checkpoint.with_suffix(".compare.json")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {report}")


def _move(bar: tqdm, name: str) -> None:
    bar.set_description(name, refresh=False)
    bar.update()
