"""Two other ways of reading a history, to know what one step per event costs in quality.

Both take the same item vectors, entry adapters, titles, heads, trend and loss as the served
``Cell``; only what joins the events differs. Neither is exported: attention needs the whole
window at each request, and the GRU's step is the dearer one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ModelConfig
from models.recurrence.cell import Cell, Events, scan

_HEADS = 4
_BLOCKS = 2


class GruCell(Cell):
    """One GRU layer (Cho et al., EMNLP 2014; GRU4Rec, Hidasi et al., ICLR 2016)."""

    def __init__(self, config: ModelConfig, platforms: int, actions: int) -> None:
        super().__init__(config, platforms, actions)
        del self.first, self.second, self.middle, self.middle_norm
        self.gru = nn.GRU(config.dim, config.dim, batch_first=True)

    def sequence(self, events: Events, drop: nn.Module) -> Tensor:
        """Events [B, T] -> GRU output, last event and titles after each [B, T, 2 D + K]."""
        x, _ = self.enter(events, drop)  # [B, T, D]
        h, _ = self.gru(x)  # [B, T, D]
        return torch.cat([h, x, scan(*self.titles(events))], dim=-1)

    def read(self, state: Tensor, drop: nn.Module) -> Tensor:
        """[..., 2 D + K] -> [..., D + K]."""
        dim = self.config.dim
        h, x, titles = state.split([dim, dim, self.config.title_dim], dim=-1)
        x = self.exit_norm(x + drop(h))  # [..., D]
        return torch.cat([self.exit(x, drop), titles], dim=-1)


class Block(nn.Module):
    """Causal self-attention and a feed-forward layer, norms first."""

    def __init__(self, dim: int, widen: int) -> None:
        super().__init__()
        self.norm, self.lift = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim)
        self.join = nn.Linear(dim, dim)
        self.after, self.up = nn.LayerNorm(dim), nn.Linear(dim, widen * dim)
        self.down = nn.Linear(widen * dim, dim)

    def forward(self, x: Tensor, bias: Tensor, drop: nn.Module) -> Tensor:
        """x [B, T, D], bias [B, 1, T, T] of the attention's logits -> [B, T, D]."""
        lifted = self.lift(self.norm(x)).unflatten(-1, (3 * _HEADS, -1)).transpose(1, 2)
        query, key, value = lifted.chunk(3, dim=1)  # [B, heads, T, D / heads] each
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = x + drop(self.join(found.transpose(1, 2).flatten(2)))  # [B, T, D]
        added: Tensor = x + drop(self.down(F.relu(self.up(self.after(x)))))
        return added


class AttentionCell(Cell):
    """Attention over the whole window (SASRec, Kang & McAuley, ICDM 2018), aware of time.

    A learned slope on the logarithm of the time between two events lowers the logit of the
    older one (after ALiBi, Press et al., ICLR 2022, with time for position).
    """

    def __init__(self, config: ModelConfig, platforms: int, actions: int) -> None:
        super().__init__(config, platforms, actions)
        del self.first, self.second, self.middle, self.middle_norm
        self.blocks = nn.ModuleList(Block(config.dim, config.widen) for _ in range(_BLOCKS))
        self.slope = nn.Parameter(torch.tensor([-3.0, -1.0]))  # of time, of position (log)

    def sequence(self, events: Events, drop: nn.Module) -> Tensor:
        """Events [B, T] -> the last block's output and titles after each [B, T, D + K]."""
        x, _ = self.enter(events, drop)  # [B, T, D]
        bias = self.bias(events.dt)  # [B, 1, T, T]
        for block in self.blocks:
            x = block(x, bias, drop)
        return torch.cat([x, scan(*self.titles(events))], dim=-1)

    def bias(self, dt: Tensor) -> Tensor:
        """Seconds between events [B, T] -> what is added to the logits [B, 1, T, T]."""
        time, count = torch.cumsum(dt, dim=1), dt.shape[1]  # [B, T]
        passed = (time.unsqueeze(2) - time.unsqueeze(1)).clamp_min(0.0)  # [B, T, T]
        at = torch.arange(count)
        steps = (at.unsqueeze(1) - at).clamp_min(0)  # [T, T]
        of_time, of_steps = torch.exp(self.slope)
        lowered = -of_time * torch.log1p(passed / self.hour[0]) - of_steps * steps
        later = at.unsqueeze(1) < at  # [T, T]
        bias: Tensor = lowered.masked_fill(later, -torch.inf).unsqueeze(1)
        return bias

    def read(self, state: Tensor, drop: nn.Module) -> Tensor:
        """[..., D + K] -> [..., D + K]."""
        x, titles = state.split([self.config.dim, self.config.title_dim], dim=-1)
        return torch.cat([self.exit(self.exit_norm(x), drop), titles], dim=-1)


CELLS = {"leaky": Cell, "gru": GruCell, "attention": AttentionCell}
