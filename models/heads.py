"""A head for every target platform: features of a user's interest -> interest vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ModelConfig


class Heads(nn.Module):
    """One linear map for each of P targets, scaled for cosine scores.

    The score of an item is the dot product of two vectors of length V = D + 1 + K:
    the interest ``[unit(W_q x) / temperature, 1, U_q x]`` and the item's
    ``[unit(content), bias, era]``. Scores by cosine with a temperature are the largest single
    gain over plain dot products for short histories. The bias says how well an item does with
    everybody, the last K places how well its time fits.
    """

    def __init__(self, config: ModelConfig, platforms: int) -> None:
        super().__init__()
        self.config, self.platforms = config, platforms
        dim, wide = config.dim, config.dim + config.era_dim
        weight = 0.02 * torch.randn(platforms, dim, wide)
        weight[:, :, :dim] += torch.eye(dim)
        self.weight = nn.Parameter(weight.permute(1, 0, 2).reshape(dim, platforms * wide))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, D] -> interests [B, P, V] for every target."""
        return self.scale((x @ self.weight).unflatten(-1, (self.platforms, -1)))

    def target(self, x: Tensor, platform: int) -> Tensor:
        """x [n, D] -> interests [n, V] for one target."""
        wide = self.config.dim + self.config.era_dim
        return self.scale(x @ self.weight[:, platform * wide : (platform + 1) * wide])

    def scale(self, vectors: Tensor) -> Tensor:
        """[..., D + K] -> [..., V]."""
        content, era = vectors.split([self.config.dim, self.config.era_dim], dim=-1)
        scaled = F.normalize(content, dim=-1) / self.config.temperature
        return torch.cat([scaled, torch.ones_like(scaled[..., :1]), era], dim=-1)
