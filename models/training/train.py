"""From a table of events to a trained model as ``train`` is asked for it."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from models.config import parse_changes, preset
from models.data.table import EventTable
from models.items.encoders import Encoder, TransformersEncoder
from models.protocols import split_for
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.options import TrainOptions
from models.training.progress import say, terminal_progress, title_bar


def train(table: EventTable, options: TrainOptions) -> Checkpoint:
    """A model from nothing; says how it goes.

    Raises:
        DataError: the events are too few.
        ModelError: the options name no setting, or give it a value of another kind.
    """
    chosen = preset(options.preset, **parse_changes(options.changes))
    started = time.perf_counter()
    split = split_for(table, options.protocol, options.seed)
    encoder = title_encoder(options.text, chosen.model.text_dim)
    with terminal_progress() as progress:
        trained = fit(split, chosen.model, chosen.train, encoder, progress)
    seconds = time.perf_counter() - started
    say(f"trained in {seconds:.0f} s, best epoch {trained.best.number}")
    text = options.text if options.text in ("hashed", "minilm") else Path(options.text).name
    about = options.about(len(table), len(table.users)) | {
        "preset": options.preset,
        "text": text,
        "model": asdict(chosen.model),
        "train": asdict(chosen.train),
        "epochs": trained.curve(),
    }
    return Checkpoint.of(
        table,
        trained.network,
        trained.encoder.basis,
        exact=encoder is None,
        metrics={"validation": trained.best.validation, "epoch": trained.best.number},
        training=about,
        labels=trained.labels,
    )


def title_encoder(text: str, size: int) -> Encoder | None:
    """The title encoder that is asked for; None for the hashed one.

    Raises:
        ModelError: what is needed isn't installed.
    """
    if text == "hashed":
        return None
    folder = None if text == "minilm" else Path(text)
    return TransformersEncoder(folder, size, progress=title_bar())
