"""``interest-stream train DATA --out BUNDLE``: from a folder of events to a bundle."""

from __future__ import annotations

import argparse
import ast
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from export.pipeline import export_bundle
from export.report import print_metrics
from models.cli.evaluate import TIES_SEED
from models.cli.grow import add_platform
from models.config import PRESETS, Preset, preset
from models.data.read import FORMATS, read_events
from models.data.table import EventTable, shuffle_ties
from models.errors import ModelError
from models.items.encoders import Encoder, TransformersEncoder, default_cache, packaged_minilm
from models.items.tune import Tuning, liked_pairs, tuned_encoder
from models.protocols.holdout import split_for
from models.protocols.protocols import PROTOCOLS
from models.training.checkpoint import Checkpoint
from models.training.fit import Epoch, Listener, Trained, fit


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
    parser.add_argument(
        "--text",
        metavar="ENCODER",
        default="hashed",
        help="title encoder: hashed (default), minilm (the packaged one), or the folder of a "
        "transformers model",
    )
    parser.add_argument(
        "--tune-text",
        type=int,
        default=0,
        metavar="BATCHES",
        help="tune the transformers encoder by LoRA on so many batches of titles of items that "
        "the same people liked (default 0: no tuning; needs the extra tune)",
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
    """
    train_bundle(read_events(args.data, args.format), args)
    return 0


def train_bundle(table: EventTable, args: argparse.Namespace) -> None:
    """Train on a table that was read from ``args.data``, export, write.

    Raises:
        DataError: the events are too few.
        ExportError: the graphs disagree with torch.
        ModelError: ``args.set`` names no setting, or gives it a value of another kind.
    """
    if args.ties == "shuffled":
        table = shuffle_ties(table, TIES_SEED)
    print(_describe(table))
    checkpoint = _added(table, args) if args.add_platform else _trained(table, args)
    checkpoint.save(args.checkpoint or args.out.with_name(args.out.name + ".pt"))
    print_metrics(export_bundle(checkpoint, args.out), args.out)


def _added(table: EventTable, args: argparse.Namespace) -> Checkpoint:
    """The model ``--from`` with one platform more."""
    if args.source is None:
        raise ModelError("--add-platform needs --from BUNDLE, the model that gets the platform")
    if (args.preset, args.text, args.tune_text) != ("base", "hashed", 0):
        raise ModelError(
            "--preset, --text and --tune-text are those of the model --from; leave them out"
        )
    named = {"seed": args.seed, "epochs": args.epochs, "threads": args.threads}
    with _progress() as listener:
        return add_platform(table, args, named | settings(args.set), listener)


def _trained(table: EventTable, args: argparse.Namespace) -> Checkpoint:
    """A model from nothing."""
    if args.source is not None:
        raise ModelError("--from goes with --add-platform; without it, everything is trained")
    named = {"seed": args.seed, "epochs": args.epochs, "threads": args.threads}
    chosen = preset(args.preset, **(named | settings(args.set)))
    started = time.perf_counter()
    trained, exact = _train(table, chosen, args)
    seconds = time.perf_counter() - started
    print(f"trained in {seconds:.0f} s, best epoch {trained.best.number}")
    return Checkpoint.of(
        table,
        trained.network,
        trained.encoder.basis,
        exact=exact,
        metrics={"validation": trained.best.validation, "epoch": trained.best.number},
        training=_training(table, chosen, args) | _curve(trained),
        labels=trained.labels,
    )


def settings(given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` of ``--set`` as the types that ``models/config.py`` has.

    Raises:
        ModelError: one isn't of that form.
    """
    made: dict[str, Any] = {}
    for text in given:
        name, given_value, value = text.partition("=")
        try:
            made[name] = ast.literal_eval(value) if given_value else None
        except (ValueError, SyntaxError):
            made[name] = value
        if not given_value or not name:
            raise ModelError(f"--set {text!r} isn't NAME=VALUE, such as dropout=0.2")
    return made


def _describe(table: EventTable) -> str:
    items = sum(len(listed) for listed in table.items)
    return (
        f"{len(table):,} events of {len(table.users):,} users on {', '.join(table.platforms)}; "
        f"{items:,} items"
    )


def _train(table: EventTable, chosen: Preset, args: argparse.Namespace) -> tuple[Trained, bool]:
    """The trained model, and whether its title features are the bundle's own."""
    split = split_for(table, args.protocol, args.seed)
    encoder = _encoder(args, split.training, chosen.model.text_dim)
    with _progress() as listener:
        trained = fit(split, chosen.model, chosen.train, encoder, listener)
    return trained, encoder is None


@contextmanager
def _progress() -> Iterator[Listener]:
    """A bar in a terminal, and a line for each epoch."""
    with tqdm(unit="seq", disable=not sys.stderr.isatty(), leave=False) as bar:
        yield Listener(batch=lambda *at: _move(bar, *at), epoch=_print_epoch)


def _encoder(args: argparse.Namespace, training: EventTable, size: int) -> Encoder | None:
    """The title encoder that is asked for, tuned if that is; None for the hashed one.

    Raises:
        ModelError: the hashed one was to be tuned, or what is needed isn't installed.
    """
    if args.text == "hashed":
        if args.tune_text:
            raise ModelError(
                "--tune-text tunes a transformers model; add --text minilm or a folder"
            )
        return None
    folder = packaged_minilm() if args.text == "minilm" else Path(args.text)
    if args.tune_text:
        tuning = Tuning(steps=args.tune_text, seed=args.seed)
        with _bar("tuning", "batch") as bar:
            folder = tuned_encoder(
                folder,
                liked_pairs(training),
                tuning,
                default_cache(),
                lambda *at: _move(bar, 0, *at),
            )
    bar = _bar("titles", "title")
    return TransformersEncoder(folder, size, progress=lambda *at: _move(bar, 0, *at))


def _bar(what: str, unit: str) -> Any:
    return tqdm(desc=what, unit=unit, disable=not sys.stderr.isatty(), leave=False)


def _move(bar: Any, number: int, done: int, count: int) -> None:
    if number:
        bar.set_description(f"epoch {number}", refresh=False)
    bar.total, bar.n = count, done
    bar.refresh()


def _print_epoch(epoch: Epoch) -> None:
    figures = "  ".join(
        f"{name} hr@10 {found['hr@10']:.4f} ndcg@10 {found['ndcg@10']:.4f}"
        for name, found in epoch.validation.items()
    )
    tqdm.write(f"epoch {epoch.number:2d}  loss {epoch.loss:.3f}  {figures}", file=sys.stdout)


def _training(table: EventTable, chosen: Preset, args: argparse.Namespace) -> dict[str, Any]:
    return {
        "data": args.data.name,
        "events": len(table),
        "users": len(table.users),
        "protocol": args.protocol or "none",
        "ties": args.ties,
        "preset": args.preset,
        "text": args.text if args.text in ("hashed", "minilm") else Path(args.text).name,
        "tune_text": args.tune_text,
        "model": asdict(chosen.model),
        "train": asdict(chosen.train),
    }


def _curve(trained: Trained) -> dict[str, Any]:
    return {"epochs": [{"loss": epoch.loss, "score": epoch.score} for epoch in trained.epochs]}
