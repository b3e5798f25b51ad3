"""From a checkpoint to a bundle: graphs, parity, speed, item vectors, titles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.bundle import BundleParts, PlatformItems, write_bundle
from export.graph import OPSET, migrate_graph, step_graph
from export.parity import check_parity
from export.speed import measure
from models.checkpoint import Checkpoint
from models.prepare import ridge, titles_of
from models.projector import F32, TextProjector


def export_bundle(checkpoint: Checkpoint, out: Path) -> dict[str, Any]:
    """Export, prove, measure and write; returns the bundle's metrics and id.

    Raises:
        ExportError: the graphs disagree with torch, or ``out`` holds something else.
    """
    network = checkpoint.network.eval()
    step, migrate = step_graph(network), migrate_graph(network)
    parity = check_parity(network, step, migrate)
    metrics = checkpoint.metrics | {"parity": parity, "opset": OPSET}
    metrics |= {"speed": measure(network.contract, step, migrate)}
    parts = BundleParts(
        contract=network.contract,
        step=step,
        migrate=migrate,
        items=_catalogues(checkpoint),
        text=text_projector(checkpoint),
        metrics=metrics,
        training=checkpoint.training,
    )
    return metrics | {"bundle_id": write_bundle(out, parts)}


@torch.no_grad()
def _catalogues(checkpoint: Checkpoint) -> dict[str, PlatformItems]:
    network, made, first = checkpoint.network, {}, 0
    for p, (name, items) in enumerate(zip(network.platforms, checkpoint.catalogue, strict=True)):
        rows = torch.arange(first, first + len(items))
        vectors = network.items.inputs(rows)
        unknown = network.items.unknown[p : p + 1]
        words = zip(items.titles, items.categories, strict=True)
        made[name] = PlatformItems(
            ids=items.ids,
            vectors_in=torch.cat([vectors, unknown]).numpy(),
            vectors_out=network.items.outputs(rows).numpy(),
            meta=[{"title": title, "category": category} for title, category in words],
        )
        first += len(items)
    return made


@torch.no_grad()
def text_projector(checkpoint: Checkpoint) -> TextProjector | None:
    """Title -> vectors of an item that training never saw; None without a single title.

    Such an item is taken for one of the newest era, as well liked as the platform's median
    item. Where the network's title features come from another encoder than the hashed one,
    a ridge regression stands in for the network's own map.
    """
    network, basis = checkpoint.network, checkpoint.basis
    if not len(basis.hashes):
        return None
    items = network.items
    weight = _title_map(checkpoint)  # [R, D]
    newest = items.eras.kernel[-2]  # [K], an event in the last bucket
    platforms = range(len(network.platforms))
    bias = [float(items.bias[items.platform == p].median()) for p in platforms]
    era_in, era_out = items.era_in(newest).numpy(), items.era_out(newest).numpy()
    outputs = [np.concatenate([np.zeros(len(era_in)), [one], era_out]) for one in bias]  # [P, V]
    return TextProjector(
        platforms=network.platforms,
        basis=basis,
        in_weight=weight,
        in_offset=np.tile(era_in, (len(bias), 1)),
        out_weight=np.pad(weight, ((0, 0), (0, 1 + len(era_out)))),
        out_offset=np.array(outputs, np.float32),
        cosine=network.config.dim,
    )


def _title_map(checkpoint: Checkpoint) -> F32:
    """float32 [R, D] from hashed features to the titles' share of an item's vector."""
    items = checkpoint.network.items
    if checkpoint.exact:
        exact: F32 = items.from_title.weight.T.contiguous().numpy()
        return exact
    titles = titles_of(checkpoint.catalogue)
    wanted: F32 = items.from_title(items.titles).numpy()
    return ridge(checkpoint.basis.features(titles), wanted)
