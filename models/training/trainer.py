"""Train: AdamW (Loshchilov & Hutter, ICLR 2019), averaged weights, early stopping on validation.

The weights that are kept are an average of those along the way (Polyak & Juditsky, SIAM J.
Control Optim. 1992), with weights that fade exponentially (EMA; Tarvainen & Valpola, NeurIPS
2017).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.config import TrainConfig
from models.data.sequences import Batch, IntArray, Sequences, item_counts, unordered
from models.data.table import EventTable
from models.items.trend import Trend
from models.objectives import Seen, objectives_of
from models.recurrence.cell import Events
from models.recurrence.network import Network
from models.training.action_weights import ActionWeights
from models.training.loss import Negatives, Sampler, sampled_softmax

_CLIP: Final = 1.0
_WARM_UP: Final = 100
_NOTHING: Final = torch.zeros(0, dtype=torch.int64)

Positions = npt.NDArray[np.intp]


class Wanted(NamedTuple):
    """n events of one platform that are to be predicted.

    Attributes:
        platform: the target.
        item: int64 [n], item numbers over all platforms.
        time_ms: int64 [n], times of the events.
    """

    platform: int
    item: Tensor
    time_ms: IntArray


class Trainer:
    """One training run: the network, what it is trained for, its averaged copy, random numbers.

    Args:
        network: is trained in place.
        table: training events only.
        config: how.
    """

    def __init__(self, network: Network, table: EventTable, config: TrainConfig) -> None:
        self.network, self.config = network, config
        self.rng = np.random.default_rng(config.seed)
        self.trend = Trend(table, np.ones(len(table), bool), network.config.trend_days)
        self.table = table
        self.sequences = Sequences.of(table, config.length)
        counts, offsets = item_counts(table), table.item_offsets
        self.samplers = [
            Sampler(first, counts[first:last], config.negatives, config.popularity)
            for first, last in itertools.pairwise(offsets.tolist())
        ]
        self.objectives = objectives_of(config)
        self.weights = ActionWeights.parse(config.actions)
        groups = _groups(nn.ModuleList([network, *self.objectives]), config.decay)
        self.optimiser = torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98), fused=True)
        self.averaged = copy.deepcopy(network).eval()
        self.batches = 0

    def epoch(self, tick: Callable[[int], object] = lambda _: None) -> float:
        """One pass over the data; returns the mean loss in nats.

        Args:
            tick: called after each batch with its number of sequences.
        """
        self.network.train()
        if not self.table.time_ms.any():
            shuffled = unordered(self.table, self.rng)
            self.sequences = Sequences.of(shuffled, self.config.length)
        losses, shown = [], self.sequences.whole
        for objective in self.objectives:
            shown = objective.show(shown, self.sequences.mixed, self.rng)
        for batch in self.sequences.batches(self.config.batch, self.rng, shown):
            losses.append(self.update(batch))
            tick(len(batch.item))
        return float(np.mean(losses)) if losses else 0.0

    def update(self, batch: Batch) -> float:
        """One step of the optimiser on one batch; returns the loss in nats."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * min(1.0, (self.batches + 1) / _WARM_UP)
        loss = self.loss(batch)
        if not loss.requires_grad:
            return 0.0  # nothing to predict: sequences of single events
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.step()
        self.batches += 1
        self._average()
        return float(loss.detach())

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss over a batch's predictions, in nats, and each objective's by its weight."""
        seen = self.see(batch)
        loss = seen.predictions(cold=False)
        for objective in self.objectives:
            loss = loss + objective.weight * objective.loss(seen)
        return loss

    def see(self, batch: Batch) -> Seen:
        """Run the network over a batch and predict what comes next."""
        features = self._features(batch)  # [B, T, D + K]
        losses, rows, actions = [torch.zeros(0)], [_NOTHING], [_NOTHING]
        for p in range(len(self.samplers)):
            at = self._predictions(batch, p)
            if len(at):
                wanted = Wanted(
                    p,
                    torch.from_numpy(batch.target[:, :, p].ravel()[at]),
                    batch.target_ms[:, :, p].ravel()[at],
                )
                chosen = features.flatten(0, 1)[torch.from_numpy(at)]  # [n, D + K]
                losses.append(self._target_loss(chosen, wanted))  # [n]
                rows.append(torch.from_numpy(at // batch.item.shape[1]))  # [n]
                actions.append(torch.from_numpy(batch.target_action[:, :, p].ravel()[at]))  # [n]
        each = self.weights.apply(torch.cat(losses), torch.cat(actions))  # [all n]
        return Seen(batch, features, each, torch.cat(rows))

    def _features(self, batch: Batch) -> Tensor:
        """What the heads read after each event: [B, T, D + K]."""
        hide = self.rng.random(batch.item.shape) < self.config.item_dropout
        item = torch.from_numpy(np.where(hide, -1, batch.item))  # [B, T]
        platform, action = torch.from_numpy(batch.platform), torch.from_numpy(batch.action)
        vectors = self.network.input_vectors(item, platform, self.config.id_dropout)
        events = Events(vectors, platform, action, torch.from_numpy(batch.dt))
        return self.network.features(self.network.states(events))

    def _target_loss(self, features: Tensor, wanted: Wanted) -> Tensor:
        """features [n, D + K] and what is to be predicted from them -> losses [n]."""
        items, drawn = self.network.items, self.samplers[wanted.platform].draw(self.rng)
        right = wanted.item  # [n]
        rows = torch.cat([right, drawn.rows])  # [n + M]
        known, where = torch.unique(rows, return_inverse=True)
        content = items.content(known, self.config.id_dropout)[where]  # [n + M, D]
        out = items.join(content, rows)  # [n + M, V]
        interests = self.network.heads.target(features, wanted.platform)  # [n, V]
        trend = self._trend(interests, wanted, drawn)
        return sampled_softmax(interests, out[: len(right)], right, out[len(right) :], drawn, trend)

    def _trend(
        self, interests: Tensor, wanted: Wanted, drawn: Negatives
    ) -> tuple[Tensor, Tensor] | None:
        """The trend's part of the scores of the right items [n] and of the drawn ones [n, M]."""
        if not self.trend.days:
            return None
        p, first = wanted.platform, self.samplers[wanted.platform].first
        weight = interests[:, interests.shape[1] - len(self.trend.days) :]  # [n, J]
        right, others = self.trend.at(
            p, wanted.time_ms, wanted.item.numpy() - first, drawn.rows.numpy() - first
        )  # [n, J], [n, J, M]
        wrong = weight.unsqueeze(1) @ torch.from_numpy(others)  # [n, 1, M]
        return (torch.from_numpy(right) * weight).sum(dim=-1), wrong.squeeze(1)

    def _predictions(self, batch: Batch, p: int) -> Positions:
        """Flat positions [n] that predict platform p's next event.

        Where other events come first, only a share of the positions does: the same expected
        loss as a lower weight, for less work.
        """
        near = (batch.gap[:, :, p] == 1) | batch.cold[:, None]
        far = self.rng.random(near.shape) < self.config.future
        return np.flatnonzero((near | far) & (batch.target[:, :, p] >= 0))

    @torch.no_grad()
    def _average(self) -> None:
        # The random start would stay in the average for long without a warm-up.
        keep = min(self.config.average, (1 + self.batches) / (10 + self.batches))
        mine: list[Tensor] = list(self.averaged.parameters())
        theirs: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(mine, theirs, 1.0 - keep)


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """No weight decay on parameters of one axis (norms, biases, rates)."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
