"""Item vectors: an id's own vector and a title's.

    content = id[i] + W_title unit(title_i)
    input   = [content, title_i]
    output  = [unit(content), bias_i, title_i, trend_i]

An id vector stands for what titles don't say: a learned delta on frozen text. Some are dropped
while training, so that titles learn to do alone, as they must for an item that training never
saw (after DropoutNet, Volkovs et al., NeurIPS 2017). The first K features of a title (the strongest
directions) also stay as they are. The trend is counted elsewhere (``models.items.trend``).
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
        recent: float32 [N, J], the trend as the training events end; None stands for zeros.
        bridge: float32 [2, N, K], what stands in input and output vectors for the titles' own
            features (``models.training.bridge``); None where these are.
    """

    bridge: Tensor | None
    platform: Tensor
    titles: Tensor
    recent: Tensor

    def __init__(
        self,
        config: ModelConfig,
        platform: Tensor,
        titles: Tensor,
        recent: Tensor | None = None,
        bridge: Tensor | None = None,
    ) -> None:
        super().__init__()
        count, platforms = len(platform), int(platform.max()) + 1
        self.config = config
        self.register_buffer("platform", platform)
        self.register_buffer("titles", titles)
        if recent is None:
            recent = torch.zeros(count, len(config.trend_days))
        self.register_buffer("recent", recent)
        self.register_buffer("bridge", bridge)
        self.ids = nn.Parameter(0.05 * torch.randn(count, config.dim))
        self.from_title = nn.Linear(titles.shape[1], config.dim, bias=False)
        self.unknown = nn.Parameter(0.05 * torch.randn(platforms, config.dim))
        self.bias = nn.Parameter(torch.zeros(count))

    def content(self, rows: Tensor, id_dropout: float = 0.0) -> Tensor:
        """Item numbers [n] -> what the items are about [n, D]."""
        ids = self.ids[rows]  # [n, D]
        if self.training and id_dropout > 0.0:
            ids = ids * (torch.rand(len(rows), 1) >= id_dropout)  # [n, D]
        content: Tensor = ids + self.from_title(self.titles[rows])  # [n, D]
        return content

    def inputs(self, rows: Tensor) -> Tensor:
        """Item numbers [n] -> input vectors [n, D + K]."""
        return torch.cat([self.content(rows), self.own_titles(rows)], dim=-1)

    def own_titles(self, rows: Tensor) -> Tensor:
        """Item numbers [...] -> the titles' own features, or the bridge's [..., K]."""
        if self.bridge is not None:
            return self.bridge[0, rows]
        return self.titles[rows][..., : self.config.title_dim]

    def own_outputs(self, rows: Tensor) -> Tensor:
        """Item numbers [...] -> what the state's sum of ``own_titles`` is held against."""
        return self.own_titles(rows) if self.bridge is None else self.bridge[1, rows]

    def outputs(self, rows: Tensor) -> Tensor:
        """Item numbers [n] -> output vectors [n, V], with the trend as training ended."""
        vectors = self.join(self.content(rows), rows)
        days = self.recent.shape[1]
        return torch.cat([vectors[:, : vectors.shape[1] - days], self.recent[rows]], dim=-1)

    def join(self, content: Tensor, rows: Tensor) -> Tensor:
        """Content [n, D], numbers [n] -> output vectors [n, V] without trend."""
        parts = [
            F.normalize(content, dim=-1),  # [n, D]
            self.bias[rows].unsqueeze(-1),  # [n, 1]
            self.own_outputs(rows),  # [n, K]
            torch.zeros(len(rows), len(self.config.trend_days)),  # [n, J]
        ]
        return torch.cat(parts, dim=-1)
