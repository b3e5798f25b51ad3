"""A new platform for a trained model: its adapter, head and items learn, the rest is frozen.

What the model computed for the platforms that it knew, it computes to the bit as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.config import TrainConfig
from models.data.sequences import F32
from models.data.table import EventTable, Int32, ItemList
from models.errors import DataError, ModelError
from models.growth.frozen import OWN, FrozenItems, freeze, whole
from models.items.encoders import HashedEncoder
from models.items.vectors import Items
from models.protocols import Split
from models.recurrence.network import Network
from models.training.checkpoint import Checkpoint
from models.training.fit import Trained, finish, train_best, validation_of
from models.training.prepare import recent_columns, ridge, titles_of
from models.training.progress import Progress

# A new platform has little data: small batches and steps, and patience with what a few cases say.
FEW: Final[dict[str, Any]] = {"batch": 16, "rate": 5e-4, "patience": 8}
_PER_ITEM: Final = ("items.ids", "items.bias")


def aligned(table: EventTable, base: Checkpoint, name: str) -> tuple[EventTable, int]:
    """The events in the base's codes, with the new platform behind its platforms.

    Events of the base's platforms whose item it doesn't know are left out: they have no row.

    Args:
        table: events of the new platform, and what the same people did on the others.
        base: the trained model.
        name: the new platform.

    Returns:
        The table, and how many events were left out.

    Raises:
        ModelError: the base has the platform already.
        DataError: the data lacks it, or has a platform that neither is new nor known.
    """
    known = base.network.platforms
    if name in known:
        raise ModelError(f"platform {name!r} is in the model already ({', '.join(known)})")
    if strange := set(table.platforms) - {*known, name}:
        raise DataError(
            f"the data has platforms {sorted(strange)}; the model knows {', '.join(known)}, and "
            f"one is added at a time ({name})"
        )
    if name not in table.platforms:
        raise DataError(f"the data has no platform {name!r}, but {', '.join(table.platforms)}")
    new = table.items[table.platforms.index(name)]
    platforms, catalogue = (*known, name), (*base.catalogue, new)
    item = _codes(table, platforms, catalogue)
    code = np.array([platforms.index(one) for one in table.platforms], np.int16)
    moved = replace(
        table, platforms=platforms, items=catalogue, platform=code[table.platform], item=item
    )
    return moved.select(item >= 0), int((item < 0).sum())


def _codes(table: EventTable, platforms: Sequence[str], catalogue: Sequence[ItemList]) -> Int32:
    """int32 [E]: each event's item in ``catalogue``, -1 where it isn't there."""
    found = np.full(len(table), -1, np.int32)
    for p, (name, items) in enumerate(zip(table.platforms, table.items, strict=True)):
        rows = {item: at for at, item in enumerate(catalogue[platforms.index(name)].ids)}
        codes = np.array([rows.get(item, -1) for item in items.ids], np.int32)
        here = table.platform == p
        found[here] = codes[table.item[here]]
    return found


def grow(base: Checkpoint, training: EventTable, dropout: float, seed: int = 0) -> Network:
    """The base's network with one platform more, of which alone something learns.

    Its adapter and head begin as the mean of the others'; its items with their titles alone.

    Args:
        base: the trained model.
        training: training events, see ``aligned``.
        dropout: share of features dropped while training.
        seed: of the encoder of the new titles.
    """
    network = base.network
    grown = Network(network.config, training.platforms, _items(base, training), dropout)
    wanted, weights = grown.state_dict(), network.state_dict()
    for key, axis in OWN.items():
        more = wanted[key].shape[axis] - weights[key].shape[axis]
        weights[key] = torch.cat([weights[key], _start(key, weights[key], axis, more)], dim=axis)
    fresh = ("items.platform", "items.titles", "items.recent")
    bridge = {} if grown.items.bridge is None else {"items.bridge": grown.items.bridge}
    grown.load_state_dict(weights | {key: wanted[key] for key in fresh} | bridge)
    return freeze(grown, network, _new_items(base, training, seed))


def _new_items(base: Checkpoint, training: EventTable, seed: int) -> FrozenItems:
    """The ids' frame; words are those of the new platform's own titles."""
    size, new = base.network.config, training.items[-1]
    titles = titles_of([new])
    features = HashedEncoder.fit(titles, size.text_dim, size.tokens, seed).features(titles)
    here = training.platform == len(training.platforms) - 1
    seen = np.bincount(training.item[here], minlength=len(new)) > 0
    ids = base.network.items.ids.detach()
    return FrozenItems(ids, torch.from_numpy(features), torch.from_numpy(seen))


def _items(base: Checkpoint, training: EventTable) -> Items:
    """All items: the base's with what is known of them, the new ones as training found them."""
    known, new = base.network.items, training.items[-1]
    size, first = base.network.config, len(known.platform)
    recent = torch.from_numpy(recent_columns(training, size.trend_days))  # [N, J]
    return Items(
        size,
        torch.cat([known.platform, torch.full((len(new),), len(training.platforms) - 1)]),
        torch.cat([known.titles, torch.from_numpy(title_features(base, titles_of([new])))]),
        torch.cat([known.recent, recent[first:]]),
        None if known.bridge is None else F.pad(known.bridge, (0, 0, 0, len(new))),  # new: none
    )


def title_features(base: Checkpoint, titles: Sequence[str]) -> F32:
    """float32 [n, R] of new titles, as the bundle's own encoder makes or approaches them."""
    hashed = base.basis.features(titles)
    if base.exact or not len(base.basis.hashes):
        return hashed
    known = base.basis.features(titles_of(base.catalogue))
    approached: F32 = hashed @ ridge(known, base.network.items.titles.numpy())
    return approached


def _start(key: str, known: Tensor, axis: int, more: int) -> Tensor:
    """What a parameter's new part is before training."""
    if key in _PER_ITEM:
        return torch.zeros(more, *known.shape[1:])
    usual: Tensor = known.unflatten(axis, (-1, more)).mean(dim=axis)
    return usual


def validated_on_last(split: Split) -> Split:
    """The same split, but only cases of the last platform validate."""
    last = split.targets(split.validation) == len(split.table.platforms) - 1
    return replace(split, validation=split.validation.select(last))


def fit_platform(
    base: Checkpoint, split: Split, config: TrainConfig, progress: Progress | None = None
) -> Trained:
    """Train the last platform of ``split`` on the frozen base; choose the epoch by it alone.

    Args:
        base: the trained model.
        split: of a table that ``aligned`` made.
        config: how to train.
        progress: is told how it goes.

    Raises:
        DataError: no validation case is of the new platform.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    split = validated_on_last(split)
    if not len(split.validation):
        raise DataError(f"nothing of {split.table.platforms[-1]!r} is left to validate on")
    grown = grow(base, split.training, config.dropout, config.seed)
    judged = validation_of(split, config)
    best = train_best(grown, judged, config, progress or Progress())
    trained = replace(best, network=whole(best.network))
    return finish(trained, HashedEncoder(base.basis), judged, config)
