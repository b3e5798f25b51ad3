"""A new platform for a trained model: its adapter, head and items learn, the rest is frozen.

A platform's own parameters are rows of larger ones (a row of the entry adapters for each
platform and action, columns of the heads, a row for each item). Those that are there stay as
they are, and rows behind them learn: so are adapters grown on a frozen network in transfer
learning (Rebuffi et al., NeurIPS 2017; Houlsby et al., ICML 2019). What the model computed for
the platforms that it knew, it computes to the bit as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from models.config import TrainConfig
from models.data.sequences import F32
from models.data.table import EventTable, ItemList
from models.errors import DataError, ModelError
from models.items.encoders import HashedEncoder
from models.items.items import Items
from models.protocols.protocols import Split
from models.recurrence.network import Network
from models.training.checkpoint import Checkpoint
from models.training.fit import Listener, Trained, finish, train_best
from models.training.prepare import recent_columns, ridge, titles_of

# What a platform has of its own: the parameter, and the axis along which platforms follow.
OWN: Final = {
    "cell.scale": 0,
    "cell.shift": 0,
    "cell.keep": 0,
    "cell.loud": 0,
    "heads.weight": 1,
    "heads.titles": 0,
    "heads.usual": 0,
    "items.ids": 0,
    "items.bias": 0,
    "items.unknown": 0,
}
# A new platform has little data: small batches and steps, and patience with what a few cases say.
FEW: Final[dict[str, Any]] = {"batch": 16, "rate": 5e-4, "patience": 8}
_PER_ITEM: Final = ("items.ids", "items.bias")


class FrozenPart(nn.Module):
    """A parameter that begins with what doesn't learn.

    Args:
        known: the frozen part.
        axis: along which the part that learns follows.
    """

    known: Tensor

    def __init__(self, known: Tensor, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.register_buffer("known", known.clone())

    def forward(self, new: Tensor) -> Tensor:
        """What learns -> the whole parameter."""
        return torch.cat([self.known, new], dim=self.axis)

    def right_inverse(self, whole: Tensor) -> Tensor:
        """The whole parameter -> what learns."""
        begin = self.known.shape[self.axis]
        return whole.narrow(self.axis, begin, whole.shape[self.axis] - begin).clone()


class FrozenItems(FrozenPart):
    """Items of which the first have learned: the others' ids are their own and their title's.

    What a frozen map makes of the words of another trade is noise, so the new platform's titles
    get a map of their own beside it; after training it is part of the ids. An item without a
    training event has its title alone.

    Args:
        known: float32 [N0, D], the frozen ids.
        titles: float32 [n, R], features of the new items' titles.
        seen: bool [n], which of them have training events.
    """

    titles: Tensor
    seen: Tensor

    def __init__(self, known: Tensor, titles: Tensor, seen: Tensor) -> None:
        super().__init__(known, 0)
        self.register_buffer("titles", titles)
        self.register_buffer("seen", seen.float().unsqueeze(-1))
        self.from_title = nn.Parameter(torch.zeros(titles.shape[1], known.shape[1]))

    def forward(self, new: Tensor) -> Tensor:
        """The new items' own ids [n, D] -> all items' [N0 + n, D]."""
        return super().forward(new * self.seen + self.titles @ self.from_title)


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
    place = np.array([platforms.index(one) for one in table.platforms], np.int16)
    moved = replace(
        table, platforms=platforms, items=catalogue, platform=place[table.platform], item=item
    )
    return moved.select(item >= 0), int((item < 0).sum())


def _codes(
    table: EventTable, platforms: Sequence[str], catalogue: Sequence[ItemList]
) -> np.typing.NDArray[np.int32]:
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
    grown.load_state_dict(weights | {key: wanted[key] for key in fresh} | _bridge(grown))
    return freeze(grown, network, _new_items(base, training, seed))


def _bridge(network: Network) -> dict[str, Tensor]:
    bridge = network.items.bridge
    return {} if bridge is None else {"items.bridge": bridge}


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


def freeze(grown: Network, base: Network, ids: FrozenItems) -> Network:
    """Leave only what ``base`` hasn't to training; in place."""
    grown.requires_grad_(False)
    for key, axis in OWN.items():
        module, name = _place(grown, key)
        known = base.get_parameter(key).detach()
        part = ids if key == "items.ids" else FrozenPart(known, axis)
        parametrize.register_parametrization(module, name, part)
        learns: Any = module.parametrizations
        learns[name].requires_grad_(True)
    return grown


def whole(grown: Network) -> Network:
    """A network without the frame of ``freeze``: the same numbers as plain parameters."""
    for key in OWN:
        module, name = _place(grown, key)
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return grown.eval()


def _place(network: Network, key: str) -> tuple[nn.Module, str]:
    owner, _, name = key.rpartition(".")
    return network.get_submodule(owner), name


def fit_platform(
    base: Checkpoint, split: Split, config: TrainConfig, listener: Listener | None = None
) -> Trained:
    """Train the last platform of ``split`` on the frozen base; choose the epoch by it alone.

    Args:
        base: the trained model.
        split: of a table that ``aligned`` made.
        config: how to train.
        listener: gets the progress.

    Raises:
        DataError: no validation case is of the new platform.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    here = split.targets(split.validation) == len(split.table.platforms) - 1
    if not here.any():
        raise DataError(f"nothing of {split.table.platforms[-1]!r} is left to validate on")
    split = replace(split, validation=split.validation.select(here))
    grown = grow(base, split.training, config.dropout, config.seed)
    best = train_best(grown, split, config, listener or Listener())
    trained = replace(best, network=whole(best.network))
    return finish(trained, HashedEncoder(base.basis), split, config)
