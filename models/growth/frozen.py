"""Parameters whose first part is frozen and whose rest learns.

A platform's own parameters are rows of larger ones (a row of the entry adapters for each
platform and action, columns of the heads, a row for each item). Those that are there stay as
they are, and rows behind them learn: so are adapters grown on a frozen network in transfer
learning (Rebuffi et al., NeurIPS 2017; Houlsby et al., ICML 2019).
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.recurrence.network import Network

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


def freeze(grown: Network, base: Network, ids: FrozenItems) -> Network:
    """Leave only what ``base`` hasn't to training; in place."""
    grown.requires_grad_(False)
    for key, axis in OWN.items():
        module, name = _owner(grown, key)
        known = base.get_parameter(key).detach()
        part = ids if key == "items.ids" else FrozenPart(known, axis)
        parametrize.register_parametrization(module, name, part)
        learns: Any = module.parametrizations
        learns[name].requires_grad_(True)
    return grown


def whole(grown: Network) -> Network:
    """A network without the frame of ``freeze``: the same numbers as plain parameters."""
    for key in OWN:
        module, name = _owner(grown, key)
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return grown.eval()


def _owner(network: Network, key: str) -> tuple[nn.Module, str]:
    owner, _, name = key.rpartition(".")
    return network.get_submodule(owner), name
