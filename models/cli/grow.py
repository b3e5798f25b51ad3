"""``interest-stream train --add-platform NAME --from BUNDLE DATA``: one platform more."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from models.config import TrainConfig
from models.data.table import EventTable
from models.errors import ModelError
from models.growth.growth import FEW, aligned, fit_platform
from models.protocols.holdout import split_for
from models.training.checkpoint import Checkpoint
from models.training.fit import Listener, Trained


def checkpoint_of(source: Path) -> Checkpoint:
    """The trained model of a bundle: the file itself, or ``BUNDLE.pt`` beside the folder.

    Raises:
        ModelError: it isn't there.
    """
    file = source.with_name(source.name + ".pt") if source.is_dir() else source
    if not file.is_file():
        raise ModelError(
            f"{file} isn't there: a platform is added to the trained model, which `train` writes "
            "beside the bundle; name that file with --from"
        )
    return Checkpoint.load(file)


def training_settings(base: Checkpoint, changes: Mapping[str, Any]) -> TrainConfig:
    """How the base was trained, with small batches and steps (``FEW``), some settings replaced.

    Args:
        base: the trained model.
        changes: fields of ``TrainConfig``; None leaves the base's value.

    Raises:
        ModelError: one is no setting of training: the model's sizes are the base's.
    """
    known = {field.name for field in fields(TrainConfig)}
    wanted = {name: value for name, value in changes.items() if value is not None}
    if strange := sorted(wanted.keys() - known):
        raise ModelError(f"{', '.join(strange)}: only settings of training can differ from --from")
    kept = {name: base.training["train"][name] for name in known & base.training["train"].keys()}
    return replace(TrainConfig(**kept), **(FEW | wanted))


def add_platform(
    table: EventTable, args: argparse.Namespace, changes: Mapping[str, Any], listener: Listener
) -> Checkpoint:
    """Train the platform ``args.add_platform`` onto the model ``args.source``.

    Args:
        table: what was read from ``args.data``.
        args: of ``train``.
        changes: settings of training that differ from the base's.
        listener: gets the progress.

    Raises:
        DataError: the data lacks the platform, has an unknown one, or is too little.
        ModelError: there is no model to add to, it has the platform, or a setting is wrong.
    """
    base = checkpoint_of(args.source)
    config = training_settings(base, changes)
    moved, left_out = aligned(table, base, args.add_platform)
    if left_out:
        print(f"{left_out:,} events are left out: the model doesn't know their items")
    started = time.perf_counter()
    split = split_for(moved, args.protocol, config.seed)
    trained = fit_platform(base, split, config, listener)
    seconds = time.perf_counter() - started
    print(f"trained {args.add_platform} in {seconds:.0f} s, best epoch {trained.best.number}")
    return grown_checkpoint(base, moved, trained, config, args)


def grown_checkpoint(
    base: Checkpoint,
    table: EventTable,
    trained: Trained,
    config: TrainConfig,
    args: argparse.Namespace,
) -> Checkpoint:
    """The base's checkpoint with what the new platform brings; labels and titles come along."""
    about = {
        "platform": args.add_platform,
        "data": args.data.name,
        "events": len(table),
        "users": len(set(table.user.tolist())),
        "protocol": args.protocol or "none",
        "ties": args.ties,
        "train": asdict(config),
        "epochs": [{"loss": epoch.loss, "score": epoch.score} for epoch in trained.epochs],
    }
    known = base.metrics.get("validation", {})
    return Checkpoint.of(
        table,
        trained.network,
        base.basis,
        exact=base.exact,
        metrics=base.metrics | {"validation": known | trained.best.validation},
        training=base.training | {"added": [*base.training.get("added", []), about]},
        labels=base.labels | trained.labels,
    )
