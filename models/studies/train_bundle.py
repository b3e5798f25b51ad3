"""From a table of events to a bundle, and the trained model beside it."""

from __future__ import annotations

from pathlib import Path

from export.pipeline import export_bundle
from export.report import print_metrics
from models.data.table import EventTable, shuffle_ties
from models.errors import ModelError
from models.growth.add_platform import add_platform
from models.training.checkpoint import Checkpoint
from models.training.options import TrainOptions
from models.training.train import train


def train_bundle(
    table: EventTable,
    options: TrainOptions,
    out: Path,
    checkpoint: Path | None = None,
    new_platform: str | None = None,
    source: Path | None = None,
) -> None:
    """Train on a table, export, write.

    Args:
        table: events.
        options: how to train.
        out: folder of the bundle.
        checkpoint: where the trained model is kept; None stands for ``OUT.pt``.
        new_platform: train only this one's adapter, head and items, onto the model ``source``.
        source: bundle or checkpoint of that model.

    Raises:
        DataError: the events are too few.
        ExportError: the graphs disagree with torch.
        ModelError: the options name no setting, contradict each other, or give a setting a value
            of another kind.
    """
    if options.ties == "shuffled":
        table = shuffle_ties(table)
    print(
        f"{len(table):,} events of {len(table.users):,} users on {', '.join(table.platforms)}; "
        f"{sum(map(len, table.items)):,} items"
    )
    trained = _trained(table, options, new_platform, source)
    trained.save(checkpoint or out.with_name(out.name + ".pt"))
    print_metrics(export_bundle(trained, out), out)


def _trained(
    table: EventTable, options: TrainOptions, new_platform: str | None, source: Path | None
) -> Checkpoint:
    if not new_platform:
        if source is not None:
            raise ModelError("--from goes with --add-platform; without it, everything is trained")
        return train(table, options)
    if source is None:
        raise ModelError("--add-platform needs --from BUNDLE, the model that gets the platform")
    if (options.preset, options.text) != ("base", "hashed"):
        raise ModelError("--preset and --text are those of the model --from; leave them out")
    return add_platform(table, options, new_platform, source)
