"""A head for every target platform: features of a user's interest -> interest vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Heads(nn.Module):
    """One linear map for each of P targets, scaled for cosine scores.

    The score of an item is the dot product of two vectors of length V = D + 1: the interest
    ``[unit(W_q x) / temperature, 1]`` and the item's ``[unit(item), bias]``. Scores by cosine
    with a temperature are the largest single gain over plain dot products for short
    histories; the bias says how well the item does with everybody.
    """

    def __init__(self, dim: int, platforms: int, temperature: float) -> None:
        super().__init__()
        self.platforms, self.temperature = platforms, temperature
        start = torch.eye(dim).repeat(1, platforms)
        self.weight = nn.Parameter(start + 0.02 * torch.randn(dim, platforms * dim))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, D] -> interests [B, P, V] for every target."""
        vectors = (x @ self.weight).unflatten(-1, (self.platforms, -1))  # [B, P, D]
        return self.scale(vectors)

    def target(self, x: Tensor, platform: int) -> Tensor:
        """x [n, D] -> interests [n, V] for one target."""
        dim = x.shape[-1]
        return self.scale(x @ self.weight[:, platform * dim : (platform + 1) * dim])

    def scale(self, vectors: Tensor) -> Tensor:
        """[..., D] -> [..., V]."""
        scaled = F.normalize(vectors, dim=-1) / self.temperature
        return torch.cat([scaled, torch.ones_like(scaled[..., :1])], dim=-1)
