"""Item vectors: an id's own vector, a title's, and when the item was in use.

    item = id[i] + W_title unit(title_i) + W_era era_i + platform

The sum is an item's input vector; scaled to unit length and with a bias it is its output
vector. An id vector stands for what titles don't say: a learned delta on frozen text.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ModelConfig


class Items(nn.Module):
    """Vectors of the N items of P platforms, numbered over all platforms.

    Args:
        config: sizes.
        platform: int64 [N], each item's platform.
        titles: float32 [N, R], frozen title features, zeros for an item without a title.
        eras: float32 [N, K], frozen era features, zeros for an item without a past.
    """

    platform: Tensor
    titles: Tensor
    eras: Tensor

    def __init__(self, config: ModelConfig, platform: Tensor, titles: Tensor, eras: Tensor) -> None:
        super().__init__()
        count, platforms = len(platform), int(platform.max()) + 1
        self.register_buffer("platform", platform)
        self.register_buffer("titles", titles)
        self.register_buffer("eras", eras)
        self.ids = nn.Parameter(0.05 * torch.randn(count, config.dim))
        self.from_title = nn.Linear(titles.shape[1], config.dim, bias=False)
        self.from_era = nn.Linear(eras.shape[1], config.dim, bias=False)
        self.of_platform = nn.Parameter(0.05 * torch.randn(platforms, config.dim))
        self.unknown = nn.Parameter(0.05 * torch.randn(platforms, config.dim))
        self.bias = nn.Parameter(torch.zeros(count))

    def forward(self, rows: Tensor, id_dropout: float = 0.0) -> Tensor:
        """Item numbers [n] -> input vectors [n, D]."""
        ids = self.ids[rows]  # [n, D]
        if self.training and id_dropout > 0.0:
            ids = ids * (torch.rand(len(rows), 1) >= id_dropout)  # [n, D]
        described = self.from_title(self.titles[rows]) + self.from_era(self.eras[rows])  # [n, D]
        vectors: Tensor = ids + described + self.of_platform[self.platform[rows]]  # [n, D]
        return vectors

    def outputs(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """Input vectors [n, D] of items [n] -> output vectors [n, V]."""
        return torch.cat([F.normalize(vectors, dim=-1), self.bias[rows].unsqueeze(-1)], dim=-1)
