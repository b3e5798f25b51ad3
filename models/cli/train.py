"""``interest-stream train DATA --out BUNDLE``: from a folder of events to a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.config import PRESETS
from models.data.read import FORMATS, read_events
from models.protocols import PROTOCOLS
from models.studies.train_bundle import train_bundle
from models.training.options import TrainOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder or file of events")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument("--format", choices=FORMATS, help="format of DATA; found out if left out")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="base")
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        help="keep this protocol's test events out of training (default: train on all events "
        "but each user's last, which validates)",
    )
    parser.add_argument(
        "--ties",
        choices=("file", "shuffled"),
        default="file",
        help="order of a user's events of one time: the file's, or random (to be evaluated so)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="at most so many passes over the data")
    parser.add_argument("--threads", type=int, help="CPU threads (default 1)")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="another value for a setting of models/config.py, such as dropout=0.2; repeatable",
    )
    _add_model_arguments(parser)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text",
        metavar="ENCODER",
        default="hashed",
        help="title encoder: hashed (default), minilm (the packaged one), or the folder of a "
        "transformers model",
    )
    parser.add_argument(
        "--add-platform",
        metavar="NAME",
        help="train only this platform's adapter, head and items, onto the model --from",
    )
    parser.add_argument(
        "--from",
        type=Path,
        dest="source",
        metavar="BUNDLE",
        help="the bundle that gets the platform (its trained model lies beside it), or BUNDLE.pt",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="where to keep the trained model (default: OUT.pt)"
    )


def run(args: argparse.Namespace) -> int:
    """Train, export, write; 0 when the bundle is there.

    Raises:
        DataError: the events can't be read, or are too few.
        ExportError: the graphs disagree with torch.
        ModelError: options or settings are wrong.
    """
    table = read_events(args.data, args.format)
    train_bundle(table, options_of(args), args.out, args.checkpoint, args.add_platform, args.source)
    return 0


def options_of(args: argparse.Namespace) -> TrainOptions:
    """What the command line says about the training."""
    named = {"seed": args.seed, "epochs": args.epochs, "threads": args.threads}
    changes = [f"{name}={value}" for name, value in named.items() if value is not None]
    return TrainOptions(
        args.data.name,
        [*changes, *args.set],
        args.seed,
        args.protocol,
        args.ties,
        args.preset,
        args.text,
    )
