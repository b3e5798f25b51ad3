"""Item vectors: an id's own vector, a title's, and when the item was in use.

    content = id[i] + W_title unit(title_i)
    input   = [content + W_in era_i, title_i]
    output  = [unit(content), bias_i, W_out era_i, title_i, trend_i]

An id vector stands for what titles don't say: a learned delta on frozen text. Some are dropped
while training, so that titles learn to do alone, as they must for an item that training never
saw (after DropoutNet, Volkovs et al., NeurIPS 2017). An era says when an item's events were: what
many people take up now is the strongest hint at what one of them takes up next, and the items of
a history tell a state when "now" is. The first K features of a title (the strongest directions)
also stay as they are. The trend is counted elsewhere (``models.trend``).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ModelConfig

# An event counts in the neighbouring time buckets too.
KERNEL: Final = (0.1, 0.2, 0.4, 0.2, 0.1)


class Eras(nn.Module):
    """When each item was in use, as shares of K time buckets that hold equally many events.

    While training, an event that is to be predicted, or that is stepped over, is left out of
    its own item's era: a served event isn't part of what the model was trained on either, and
    an item with a single event would give the answer's time away.

    Args:
        counts: float32 [N, K], events of each item in each bucket.
        edges: float64 [K - 1], the times in ms between the buckets; empty where unknown.
    """

    mass: Tensor
    kernel: Tensor
    edges: Tensor

    def __init__(self, counts: Tensor, edges: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(0) if edges is None else edges)
        spread = smoothing(counts.shape[1])
        self.register_buffer("mass", counts @ spread)  # [N, K]
        nothing = torch.zeros(1, counts.shape[1])
        self.register_buffer("kernel", torch.cat([spread, nothing]))  # [K + 1, K]

    def forward(self, rows: Tensor, own: Tensor | None = None) -> Tensor:
        """Item numbers [...], buckets of events to leave out (-1 for none) [...] -> [..., K].

        Rows sum to one, or are zero without an event.
        """
        mass = self.mass[rows]  # [..., K]
        if own is not None:
            mass = (mass - self.kernel[own]).clamp_min(0.0)  # [..., K]
        total = mass.sum(dim=-1, keepdim=True)  # [..., 1]
        return torch.where(total > 0.5, mass / total.clamp_min(0.5), 0.0)


def smoothing(buckets: int) -> Tensor:
    """float32 [K, K]: what an event of a bucket counts in each; rows sum to one."""
    spread = torch.zeros(buckets, buckets)
    at = torch.arange(buckets)
    for shift, weight in enumerate(KERNEL, start=-(len(KERNEL) // 2)):
        near = (at + shift).clamp(0, buckets - 1)
        spread.index_put_((at, near), torch.tensor(weight), accumulate=True)
    return spread


class Items(nn.Module):
    """Vectors of the N items of P platforms, numbered over all platforms.

    Args:
        config: sizes.
        platform: int64 [N], each item's platform.
        titles: float32 [N, R], frozen title features, zeros for an item without a title.
        counts: float32 [N, K], events of each item in each time bucket.
        recent: float32 [N, J], the trend as the training events end; None stands for zeros.
        edges: float64 [K - 1], times in ms between the time buckets; None where unknown.
        bridge: float32 [2, N, K], what stands in input and output vectors for the titles' own
            features (``models.bridge``); None where these are.
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
        counts: Tensor,
        recent: Tensor | None = None,
        edges: Tensor | None = None,
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
        self.eras = Eras(counts, edges)
        self.ids = nn.Parameter(0.05 * torch.randn(count, config.dim))
        self.from_title = nn.Linear(titles.shape[1], config.dim, bias=False)
        self.era_in = nn.Linear(counts.shape[1], config.dim, bias=False)
        self.era_out = nn.Linear(counts.shape[1], config.era_dim, bias=False)
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
        learned = self.content(rows) + self.era_in(self.eras(rows))  # [n, D]
        return torch.cat([learned, self.own_titles(rows)], dim=-1)

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
        vectors = self.join(self.content(rows), rows, self.eras(rows))
        days = self.recent.shape[1]
        return torch.cat([vectors[:, : vectors.shape[1] - days], self.recent[rows]], dim=-1)

    def join(self, content: Tensor, rows: Tensor, eras: Tensor) -> Tensor:
        """Content [n, D], numbers [n], eras [n, K] -> output vectors [n, V] without trend."""
        parts = [
            F.normalize(content, dim=-1),  # [n, D]
            self.bias[rows].unsqueeze(-1),  # [n, 1]
            self.era_out(eras),  # [n, E]
            self.own_outputs(rows),  # [n, K]
            torch.zeros(len(rows), len(self.config.trend_days)),  # [n, J]
        ]
        return torch.cat(parts, dim=-1)
