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
from models.items.projector import F32, TextProjector
from models.training.checkpoint import Checkpoint
from models.training.prepare import ridge, titles_of


def export_bundle(checkpoint: Checkpoint, out: Path) -> dict[str, Any]:
    """Export, check, measure and write; returns the bundle's metrics and id.

    Raises:
        ExportError: the graphs disagree with torch, or ``out`` holds something else.
    """
    network = checkpoint.network.eval()
    step, migrate = step_graph(network), migrate_graph(network)
    parity = check_parity(network, step, migrate, checkpoint.labels)
    metrics = checkpoint.metrics | {"parity": parity, "opset": OPSET}
    metrics |= {"speed": measure(network.contract, step, migrate)}
    parts = BundleParts(
        contract=network.contract,
        step=step,
        migrate=migrate,
        items=catalogues(checkpoint),
        text=text_projector(checkpoint),
        labels=checkpoint.labels,
        metrics=metrics,
        training=checkpoint.training,
    )
    return metrics | {"bundle_id": write_bundle(out, parts)}


@torch.no_grad()
def catalogues(checkpoint: Checkpoint) -> dict[str, PlatformItems]:
    """Each platform's items with their vectors, float32."""
    network, made, first = checkpoint.network, {}, 0
    for p, (name, items) in enumerate(zip(network.platforms, checkpoint.catalogue, strict=True)):
        rows = torch.arange(first, first + len(items))
        vectors = network.items.inputs(rows)
        unknown = torch.nn.functional.pad(
            network.items.unknown[p : p + 1], (0, network.config.title_dim)
        )
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

    Such an item is taken to be as well liked as the platform's median item. Where the network's
    title features come from another encoder than the hashed one, a ridge regression stands in for
    the network's own map.
    """
    network, basis = checkpoint.network, checkpoint.basis
    if not len(basis.hashes):
        return None
    items = network.items
    size = network.config
    learned, own = np.split(_title_map(checkpoint), [size.dim], axis=1)  # [R, D], [R, K]
    middle = np.zeros((len(learned), 1), np.float32)
    end = np.zeros((len(learned), len(size.trend_days)), np.float32)
    platforms = range(len(network.platforms))
    outputs = np.zeros((len(platforms), size.vector_dim), np.float32)
    outputs[:, size.dim] = [float(items.bias[items.platform == p].median()) for p in platforms]
    return TextProjector(
        platforms=network.platforms,
        basis=basis,
        in_weight=np.hstack([learned, own]),
        in_offset=np.zeros((len(platforms), size.item_dim), np.float32),
        out_weight=np.hstack([learned, middle, own, end]),
        out_offset=outputs,
        cosine=network.config.dim,
    )


def _title_map(checkpoint: Checkpoint) -> F32:
    """float32 [R, D + K] from hashed features to the titles' share of an item's vectors."""
    items, own = checkpoint.network.items, checkpoint.network.config.title_dim
    if checkpoint.exact:
        learned: F32 = items.from_title.weight.T.numpy()
        return np.hstack([learned, np.eye(len(learned), own, dtype=np.float32)])
    titles = titles_of(checkpoint.catalogue)
    wanted = torch.cat([items.from_title(items.titles), items.titles[:, :own]], dim=1)
    return ridge(checkpoint.basis.features(titles), wanted.numpy())
