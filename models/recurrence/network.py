"""The whole model: items, cell and heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.config import ModelConfig
from models.contract import ACTIONS, Contract
from models.items.vectors import Items
from models.recurrence.cell import Events, SequenceDropout
from models.recurrence.heads import Heads
from models.recurrence.references import CELLS


class Network(nn.Module):
    """Items, the recurrent cell and a head for every target platform."""

    def __init__(
        self, config: ModelConfig, platforms: tuple[str, ...], items: Items, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.config, self.platforms = config, platforms
        self.items = items
        self.cell = CELLS[config.cell](config, len(platforms), len(ACTIONS))
        self.heads = Heads(config, len(platforms))
        self.drop = SequenceDropout(dropout)

    @property
    def contract(self) -> Contract:
        """What the worker must know."""
        size = self.config
        return Contract(
            self.platforms,
            ACTIONS,
            size.item_dim,
            size.state_size,
            size.vector_dim,
            size.trend_days,
        )

    def input_vectors(self, item: Tensor, platform: Tensor, id_dropout: float = 0.0) -> Tensor:
        """Input vectors of events.

        Args:
            item: int64 [B, T], item numbers, -1 for an unknown one.
            platform: int64 [B, T].
            id_dropout: share of items without their id's vector.

        Returns:
            float32 [B, T, D + K].
        """
        rows = item.clamp_min(0)  # [B, T]
        known, where = torch.unique(rows, return_inverse=True)
        vectors = self.items.content(known, id_dropout)[where]  # [B, T, D]
        titles = self.items.own_titles(rows)  # [B, T, K]
        unknown = (item < 0).unsqueeze(-1)  # [B, T, 1]
        vectors = torch.where(unknown, self.items.unknown[platform], vectors)  # [B, T, D]
        return torch.cat([vectors, titles.masked_fill(unknown, 0.0)], dim=-1)

    def states(self, events: Events) -> Tensor:
        """Events [B, T] -> the state after each [B, T, S]."""
        return self.cell.sequence(events, self.drop)

    def features(self, states: Tensor) -> Tensor:
        """States [B, T, S] -> what the heads read [B, T, D + K]."""
        return self.cell.read(states, self.drop)

    def step(
        self, state: Tensor, item: Tensor, platform: Tensor, action: Tensor, dt: Tensor
    ) -> Tensor:
        """``step.onnx``: state [B, S] -> next state [B, S], rounded as the state was: float16."""
        events = Events(item, platform, action, dt)
        return self.cell.step(state.float(), events).to(state.dtype)

    def migrate(self, state: Tensor) -> Tensor:
        """``migrate.onnx``: float16 state [B, S] -> interests float32 [B, P, V]."""
        interests: Tensor = self.heads(self.cell.read(state.float(), nn.Identity()))
        return interests
