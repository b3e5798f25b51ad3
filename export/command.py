"""``interest-stream export CHECKPOINT --out BUNDLE``: a trained model as a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.pipeline import export_bundle
from export.report import print_metrics
from models.checkpoint import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="the .pt file that `train` wrote"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")


def run(args: argparse.Namespace) -> int:
    """Export, prove, measure, write; 0 when the bundle is there.

    Raises:
        ModelError: the file isn't a checkpoint.
        ExportError: the graphs disagree with torch.
    """
    print_metrics(export_bundle(Checkpoint.load(args.checkpoint), args.out), args.out)
    return 0
