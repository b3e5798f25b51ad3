"""``interest-stream study DATA``: train with several seeds, evaluate, report: from nothing.

One command for every dataset, with the same defaults.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from models.protocols import PROTOCOLS
from models.studies.plan import BESIDE
from models.studies.study import study
from models.studies.variants import ABLATIONS


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
        choices=tuple(BESIDE),
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
    _add_training_arguments(parser)
    _add_report_arguments(parser)


def _add_training_arguments(parser: argparse.ArgumentParser) -> None:
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


def _add_report_arguments(parser: argparse.ArgumentParser) -> None:
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
    return study(args)
