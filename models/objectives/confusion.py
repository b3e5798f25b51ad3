"""Domain confusion: features shouldn't tell which platform they were learned from.

An adversary learns to tell it, and a gradient reversal in front of it makes the features
learn the opposite (Ganin & Lempitsky, ICML 2015).
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.objectives.base import Objective, Seen

HIDDEN: Final = 64


class Reversal(torch.autograd.Function):
    """The identity, whose gradient has the other sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """x [...] -> x [...]."""
        del ctx
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The gradient [...] -> minus the gradient [...]."""
        del ctx
        return -gradients[0]


class Confusion(Objective):
    """An adversary that tells platforms apart by the learned part of the features.

    Args:
        weight: of the loss.
        dim: D.
        platforms: P.
    """

    def __init__(self, weight: float, dim: int, platforms: int) -> None:
        super().__init__(weight)
        self.dim = dim
        self.adversary = nn.Sequential(
            nn.Linear(dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, platforms)
        )

    def loss(self, seen: Seen) -> Tensor:
        """Cross-entropy of the platforms that the events of each half of a pair are of."""
        pairs = seen.pairs()
        if pairs is None:
            return seen.features.new_zeros(())
        only = F.one_hot(pairs.platform, pairs.shares.shape[1]).float()  # [m, P]
        features = torch.cat([pairs.without, pairs.only])[:, : self.dim]  # [2 m, D]
        told = self.adversary(Reversal.apply(features))  # [2 m, P]
        return F.cross_entropy(told, torch.cat([pairs.shares, only]))
