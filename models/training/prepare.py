"""From a split to a network that is ready to train: titles, trend, items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from models.config import ModelConfig
from models.data.sequences import F32
from models.data.table import EventTable, ItemList
from models.items.encoders import Encoder
from models.items.trend import Trend, windows
from models.items.vectors import Items
from models.recurrence.network import Network


def titles_of(catalogue: Sequence[ItemList]) -> list[str]:
    """Titles of all items of all platforms; an item without one has its category's name."""
    return [
        title or category
        for items in catalogue
        for title, category in zip(items.titles, items.categories, strict=True)
    ]


def item_platforms(table: EventTable) -> torch.Tensor:
    """int64 [N]: platform of each item, numbered over all platforms."""
    sizes = [len(items) for items in table.items]
    return torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))


def make_network(
    config: ModelConfig, training: EventTable, encoder: Encoder, dropout: float, seed: int
) -> Network:
    """A network with random weights; item features come from the training events alone.

    Args:
        config: sizes.
        training: the training events.
        encoder: gives titles their features.
        dropout: share of features dropped while training.
        seed: of the random weights.
    """
    torch.manual_seed(seed)
    titles = encoder.features(titles_of(training.items))
    items = Items(
        config,
        item_platforms(training),
        torch.from_numpy(titles),
        torch.from_numpy(recent_columns(training, config.trend_days)),
    )
    return Network(config, training.platforms, items, dropout)


def recent_columns(training: EventTable, days: Sequence[float]) -> F32:
    """float32 [N, J]: each item's trend just after the last training event."""
    trend = Trend(training, np.ones(len(training), bool), days)
    now_ms = int(training.time_ms.max(initial=0)) + 1
    return np.concatenate([trend.columns(p, now_ms) for p in range(len(training.platforms))])


def fitting(config: ModelConfig, table: EventTable) -> ModelConfig:
    """The sizes that suit the data: no titles where it has none, all time where it has no times."""
    titled = any(titles_of(table.items))
    return replace(
        config,
        title_dim=min(config.title_dim, config.text_dim) if titled else 0,
        trend_days=windows(table, config.trend_days),
    )


def ridge(features: F32, wanted: F32, penalty: float = 1.0) -> F32:
    """Linear map float32 [R, D] that turns features [n, R] into ``wanted`` [n, D]."""
    gram = features.T @ features + penalty * np.eye(features.shape[1], dtype=np.float32)
    solved: F32 = np.linalg.solve(gram, features.T @ wanted).astype(np.float32)
    return solved
