"""The recurrence: one event, one step, at a cost that doesn't grow with the history.

Two blocks of a diagonal linear recurrence in the manner of the linear recurrent unit (Orvieto
et al., ICML 2023; LRURec, Yue et al., WSDM 2024), with real decays that the event's content
sets, as in minGRU (Feng et al., 2024) and Mamba (Gu & Dao, 2023), and that the passed time
sets: a power of time, ``(1 + dt / unit) ** -rate`` with a learned rate for each channel, keeps
interests of years beside interests of minutes.

The sequence driver (training) and the step driver (export) call the same ``enter``, ``inputs``,
``recur`` and ``leave``: all but ``recur`` look at one event alone, so training runs them over
all events at once. Interests are read from the state alone, so the state holds both memories
and the residual stream of the last event. Beside them goes a leaky sum of the titles' own
features: what nothing learned has blurred finds the same thing in another colour.

Shapes: B users, T events, D width, H channels of a memory, K title features,
S = 2 H + D + K; ``...`` is B or B, T.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ModelConfig

# Rates of time are clamped before ``exp``: beyond it a gradient step could overflow to NaN.
_LOG_RATE = (-12.0, 2.0)
# CPUs take logarithms of 16 numbers at once, and of those that are left over in another way
# that can differ in the last bit. With all lanes full a row has the same bits in any batch.
_LANES = 16
# Its sigmoid is .8: about the last five titles count.
_TITLES_KEPT = 1.386


class Events(NamedTuple):
    """What a step sees of events, each tensor with the same leading axes."""

    item: Tensor  # float32 [..., D + K] input vectors
    platform: Tensor  # int64 [...] index into the contract's platforms
    action: Tensor  # int64 [...] index into the contract's actions
    dt: Tensor  # float32 [...] seconds since the user's previous event


def recur(h: Tensor, decay: Tensor, value: Tensor) -> Tensor:
    """h, decay, value [B, H] -> h' [B, H]; the whole memory of a user's past is here."""
    return decay * h + value


class Memory(nn.Module):
    """A bank of H leaky averages, each with a decay by content and a decay by time."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Linear(dim, 2 * hidden)
        self.leave = nn.Linear(hidden, dim)
        self.time_rate = nn.Parameter(torch.linspace(-6.0, -1.0, hidden)[torch.randperm(hidden)])
        self._spread_decays(hidden)

    def _spread_decays(self, hidden: int) -> None:
        """Start with averages over 1 to about 50 events, all of them equally loud."""
        with torch.no_grad():
            keep = torch.linspace(-3.0, 4.0, hidden)
            self.enter.weight[hidden:] *= 0.1
            self.enter.bias[hidden:] = keep
            a = torch.sigmoid(keep)
            self.leave.weight *= torch.sqrt((1.0 + a) / (1.0 - a))

    def inputs(self, x: Tensor, age: Tensor) -> tuple[Tensor, Tensor]:
        """x [..., D], age [..., 1] -> decay, value, both [..., H]."""
        value, gate = self.enter(x).chunk(2, dim=-1)  # [..., H] each
        keep = torch.sigmoid(gate)  # [..., H] what the content keeps of the past
        rate = torch.exp(self.time_rate.clamp(*_LOG_RATE))  # [H]
        return keep * torch.exp(-rate * age), value - keep * value  # (1 - keep) * value


class FeedForward(nn.Module):
    """``norm(x + W2 relu(W1 x))``, position-wise."""

    def __init__(self, dim: int, widen: int) -> None:
        super().__init__()
        self.up = nn.Linear(dim, widen * dim)
        self.down = nn.Linear(widen * dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, drop: nn.Module) -> Tensor:
        """x [..., D] -> [..., D]."""
        added: Tensor = self.norm(x + drop(self.down(F.relu(self.up(x)))))
        return added


class Cell(nn.Module):
    """Two memories with a feed-forward layer after each; see the module's docstring."""

    hour: Tensor

    def __init__(self, config: ModelConfig, platforms: int, actions: int) -> None:
        super().__init__()
        dim, hidden = config.dim, config.hidden
        self.config, self.actions = config, actions
        # Entry adapters: a scale and a shift of every channel for each source platform and
        # action (FiLM, Perez et al., AAAI 2018).
        self.scale = nn.Parameter(torch.ones(platforms * actions, dim))
        self.shift = nn.Parameter(torch.zeros(platforms * actions, dim))
        self.age = nn.Parameter(torch.zeros(dim))
        self.register_buffer("hour", torch.full((_LANES,), config.hour_s), persistent=False)
        self.entry_norm = nn.LayerNorm(dim)
        self.first, self.second = Memory(dim, hidden), Memory(dim, hidden)
        # What an event leaves of the titles before it, and how loud its own title is.
        self.keep = nn.Parameter(torch.full((platforms * actions, 1), _TITLES_KEPT))
        self.loud = nn.Parameter(torch.ones(platforms * actions, 1))
        self.middle_norm, self.exit_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.middle = FeedForward(dim, config.widen)
        self.exit = FeedForward(dim, config.widen)

    def enter(self, events: Events, drop: nn.Module) -> tuple[Tensor, Tensor]:
        """Events [...] -> x [..., D], age [..., 1]."""
        hours = events.dt.unsqueeze(-1) / self.hour  # [..., LANES]
        age = torch.log(1.0 + hours)[..., :1]  # [..., 1]
        adapter = self.adapter(events)  # [...]
        item = events.item[..., : self.config.dim]  # [..., D]
        x = self.entry_norm(drop(item))  # [..., D]
        x = x * self.scale[adapter] + self.shift[adapter] + age * self.age  # [..., D]
        return x, age

    def adapter(self, events: Events) -> Tensor:
        """Row of each event's source platform and action in the entry adapters: int64 [...]."""
        return events.platform * self.actions + events.action

    def titles(self, events: Events) -> tuple[Tensor, Tensor]:
        """Events [...] -> decay [..., 1] and value [..., K] of the sum of titles."""
        adapter = self.adapter(events)  # [...]
        title = events.item[..., self.config.dim :]  # [..., K]
        return torch.sigmoid(self.keep)[adapter], self.loud[adapter] * title

    def between(self, x: Tensor, h: Tensor, drop: nn.Module) -> Tensor:
        """x [..., D], first memory h [..., H] -> the second memory's x [..., D]."""
        x = self.middle_norm(x + drop(self.first.leave(h)))  # [..., D]
        between: Tensor = self.middle(x, drop)  # [..., D]
        return between

    def read(self, state: Tensor, drop: nn.Module) -> Tensor:
        """State [..., S] -> features of the user's interest [..., D + K]."""
        _, h, x, titles = self.split(state)  # [..., H], [..., H], [..., D], [..., K]
        x = self.exit_norm(x + drop(self.second.leave(h)))  # [..., D]
        return torch.cat([self.exit(x, drop), titles], dim=-1)  # [..., D + K]

    def split(self, state: Tensor) -> tuple[Tensor, ...]:
        """State [..., S] -> memories [..., H] twice, last event [..., D], titles [..., K]."""
        sizes = [self.config.hidden, self.config.hidden, self.config.dim, self.config.title_dim]
        return tuple(torch.split(state, sizes, dim=-1))

    def step(self, state: Tensor, events: Events) -> Tensor:
        """One event for each of B users: state [B, S] -> next state [B, S]."""
        drop = nn.Identity()
        first, second, _, titles = self.split(state)  # [B, H], [B, H], [B, D], [B, K]
        x, age = self.enter(events, drop)  # [B, D], [B, 1]
        first = recur(first, *self.first.inputs(x, age))  # [B, H]
        x = self.between(x, first, drop)  # [B, D]
        second = recur(second, *self.second.inputs(x, age))  # [B, H]
        titles = recur(titles, *self.titles(events))  # [B, K]
        return torch.cat([first, second, x, titles], dim=-1)  # [B, S]

    def sequence(self, events: Events, drop: nn.Module) -> Tensor:
        """T events for each of B users: events [B, T] -> the state after each [B, T, S]."""
        x, age = self.enter(events, drop)  # [B, T, D], [B, T, 1]
        first = scan(*self.first.inputs(x, age))  # [B, T, H]
        x = self.between(x, first, drop)  # [B, T, D]
        second = scan(*self.second.inputs(x, age))  # [B, T, H]
        titles = scan(*self.titles(events))  # [B, T, K]
        return torch.cat([first, second, x, titles], dim=-1)  # [B, T, S]


def scan(decay: Tensor, value: Tensor) -> Tensor:
    """``recur`` over T events from an empty memory: [B, T, H], [B, T, H] -> [B, T, H]."""
    h = torch.zeros_like(value[:, 0])  # [B, H]
    passed = []
    for decay_t, value_t in zip(decay.unbind(1), value.unbind(1), strict=True):
        h = recur(h, decay_t, value_t)  # [B, H]
        passed.append(h)
    return torch.stack(passed, dim=1)  # [B, T, H]


class SequenceDropout(nn.Module):
    """Dropout with one mask for all events of a sequence (Gal & Ghahramani, NeurIPS 2016).

    Beside regularising better, it draws T times fewer random numbers.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, D] -> [B, T, D]; all of it while evaluating."""
        if not self.training or self.share == 0.0:
            return x
        mask = torch.empty(x.shape[0], 1, x.shape[-1]).bernoulli_(1.0 - self.share)
        return x * (mask / (1.0 - self.share))
