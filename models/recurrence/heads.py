"""A head for every target platform: features of a user's interest -> interest vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ModelConfig

# What a unit of the trend or of a title's cosine is worth before training.
_TREND, _TITLES = 1.0, 3.0


class Heads(nn.Module):
    """One linear map for each of P targets, scaled for cosine scores.

    The score of an item is the dot product of two vectors of length V:

        interest [unit(W_q x) / temperature, 1,    (a_q x + b_q) w_q * titles, T_q x + c_q]
        item     [unit(content),             bias, title,                      trend      ]
                  D                          1     K                           J

    Scores by cosine with a temperature (NormFace, Wang et al., ACM MM 2017; in recommendation Yi
    et al., RecSys 2019) are the largest single gain over plain dot products for short histories.
    The bias says how well an item does with everybody, the next K numbers how near its title is
    to those of the last events, and the last J how much the user goes with what is taken up these
    days (``models.items.trend``).
    """

    def __init__(self, config: ModelConfig, platforms: int) -> None:
        super().__init__()
        self.config, self.platforms = config, platforms
        dim, days = config.dim, len(config.trend_days)
        self.wide = dim + 1 + days
        weight = 0.02 * torch.randn(platforms, dim, self.wide)
        weight[:, :, :dim] += torch.eye(dim)
        self.weight = nn.Parameter(weight.permute(1, 0, 2).reshape(dim, platforms * self.wide))
        self.titles = nn.Parameter(torch.ones(platforms, config.title_dim))
        usual = [_TITLES] + days * [_TREND]
        self.usual = nn.Parameter(torch.tensor(usual).repeat(platforms, 1))

    def forward(self, features: Tensor) -> Tensor:
        """features [B, D + K] -> interests [B, P, V] for every target."""
        x, titles = self.split(features)  # [B, D], [B, K]
        every = (x @ self.weight).unflatten(-1, (self.platforms, -1))  # [B, P, D + 1 + J]
        return self.join(every, titles.unsqueeze(-2) * self.titles, self.usual)  # [B, P, V]

    def target(self, features: Tensor, platform: int) -> Tensor:
        """features [n, D + K] -> interests [n, V] for one target."""
        x, titles = self.split(features)  # [n, D], [n, K]
        mine = x @ self.weight[:, platform * self.wide : (platform + 1) * self.wide]
        return self.join(mine, titles * self.titles[platform], self.usual[platform])  # [n, V]

    def split(self, features: Tensor) -> tuple[Tensor, ...]:
        """features [..., D + K] -> what was learned [..., D], titles [..., K]."""
        return tuple(features.split([self.config.dim, self.config.title_dim], dim=-1))

    def join(self, mapped: Tensor, titles: Tensor, usual: Tensor) -> Tensor:
        """[..., D + 1 + J], titles [..., K], usual worths [..., 1 + J] -> [..., V]."""
        content, worth = mapped.split([self.config.dim, usual.shape[-1]], dim=-1)
        scaled = F.normalize(content, dim=-1) / self.config.temperature  # [..., D]
        worth = worth + usual  # [..., 1 + J]
        titles, trend = titles * worth[..., :1], worth[..., 1:]  # [..., K], [..., J]
        return torch.cat([scaled, torch.ones_like(scaled[..., :1]), titles, trend], dim=-1)
