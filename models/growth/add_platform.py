"""One platform more for a trained model, as ``train --add-platform NAME --from BUNDLE`` asks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from models.config import TrainConfig, parse_changes
from models.data.table import EventTable
from models.errors import ModelError
from models.growth.new_platform import FEW, aligned, fit_platform
from models.protocols import split_for
from models.training.checkpoint import Checkpoint
from models.training.fit import Trained
from models.training.options import TrainOptions
from models.training.progress import say, terminal_progress


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


def add_platform(table: EventTable, options: TrainOptions, name: str, source: Path) -> Checkpoint:
    """Train a platform onto a model; says how it goes.

    Args:
        table: events of the new platform, and what the same people did on the others.
        options: how; preset and title encoder are the model's own.
        name: the new platform.
        source: the model's bundle or checkpoint.

    Raises:
        DataError: the data lacks the platform, has an unknown one, or is too little.
        ModelError: there is no model to add to, it has the platform, or a setting is wrong.
    """
    changes = parse_changes(options.changes)
    base = checkpoint_of(source)
    config = training_settings(base, changes)
    moved, left_out = aligned(table, base, name)
    if left_out:
        say(f"{left_out:,} events are left out: the model doesn't know their items")
    started = time.perf_counter()
    split = split_for(moved, options.protocol, config.seed)
    with terminal_progress() as progress:
        trained = fit_platform(base, split, config, progress)
    seconds = time.perf_counter() - started
    say(f"trained {name} in {seconds:.0f} s, best epoch {trained.best.number}")
    about = options.about(len(moved), len(set(moved.user.tolist()))) | {"train": asdict(config)}
    return _grown(base, moved, trained, {"platform": name} | about)


def _grown(
    base: Checkpoint, table: EventTable, trained: Trained, about: Mapping[str, Any]
) -> Checkpoint:
    """The base's checkpoint with what the new platform brings; labels and titles come along."""
    added = [*base.training.get("added", []), dict(about) | {"epochs": trained.curve()}]
    known = base.metrics.get("validation", {})
    return Checkpoint.of(
        table,
        trained.network,
        base.basis,
        exact=base.exact,
        metrics=base.metrics | {"validation": known | trained.best.validation},
        training=base.training | {"added": added},
        labels=base.labels | trained.labels,
    )
