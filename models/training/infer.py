"""Run a trained network over histories: for early stopping, evaluation and reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.data.sequences import F32, IntArray, gaps
from models.data.table import EventTable
from models.items.trend import trend_of
from models.metrics.ranking_metrics import case_metrics
from models.metrics.ranks import Ranks, rank_cases
from models.protocols.cases import Cases, Split
from models.recurrence.cell import Events
from models.recurrence.network import Network

_BATCH: Final = 256


@torch.no_grad()
def interests(network: Network, table: EventTable, cases: Cases, length: int) -> F32:
    """Interest vectors of each case's target platform after its history: float32 [n, V].

    Args:
        network: in evaluation mode.
        table: what the cases' rows mean.
        cases: n cases.
        length: of longer histories only the last so many events are stepped through.
    """
    out = np.zeros((len(cases), network.contract.vector_dim), np.float32)
    target = table.platform[cases.row].astype(np.int64)
    for group, states in _last_states(network, table, cases, length):
        every = network.migrate(states.half()).numpy()
        out[group] = every[np.arange(len(group)), target[group]]
    return out


def _last_states(
    network: Network, table: EventTable, cases: Cases, length: int
) -> Iterator[tuple[IntArray, Tensor]]:
    """Case numbers [b] and the states after their histories [b, S], similar lengths together."""
    history = np.minimum(cases.end - cases.start, length)
    order = np.argsort(history, kind="stable")
    for group in (order[at : at + _BATCH] for at in range(0, len(order), _BATCH)):
        steps = max(1, int(history[group].max()))
        take = (cases.end - history)[group][:, None] + np.arange(steps)
        real = np.arange(steps) < history[group][:, None]
        take = np.where(real, take, 0)
        states = network.states(_events(network, table, take, real))  # [b, T, S]
        last = torch.from_numpy(np.maximum(history[group] - 1, 0))
        state = states[torch.arange(len(group)), last]  # [b, S]
        known = torch.from_numpy(history[group] > 0).unsqueeze(-1)
        yield group, torch.where(known, state, torch.zeros(()))


def _events(
    network: Network, table: EventTable, take: IntArray, real: npt.NDArray[np.bool_]
) -> Events:
    item = torch.from_numpy(np.where(real, table.global_item[take], -1).astype(np.int64))
    platform = torch.from_numpy(table.platform[take].astype(np.int64))
    time_s = np.where(real, table.time_ms[take] / 1000.0, np.nan)
    return Events(
        network.input_vectors(item, platform),
        platform,
        torch.from_numpy(table.action[take].astype(np.int64)),
        torch.from_numpy(gaps(time_s)),
    )


@torch.no_grad()
def output_vectors(network: Network, table: EventTable, platform: int) -> F32:
    """Output vectors of a platform's items without the trend: float32 [N, V]."""
    first, last = table.item_offsets[platform : platform + 2]
    rows = torch.arange(int(first), int(last))
    items = network.items
    vectors: F32 = items.join(items.content(rows), rows).numpy()
    return vectors


@dataclass(frozen=True, slots=True)
class Validation:
    """What a network in training is judged by.

    Attributes:
        split: what it is trained on.
        cases: some of its validation cases.
        length: of longer histories only the last so many events are stepped through.
    """

    split: Split
    cases: Cases
    length: int

    @property
    def targets(self) -> npt.NDArray[np.int16]:
        """int16 [n]: the target platform of each case."""
        return self.split.targets(self.cases)

    def of(self, platform: int) -> Validation:
        """The cases of one target alone."""
        return replace(self, cases=self.cases.select(self.targets == platform))

    def interests(self, network: Network) -> F32:
        """The interest vector of each case: float32 [n, V]."""
        return interests(network, self.split.table, self.cases, self.length)


def rank(network: Network, validation: Validation) -> Ranks:
    """Rank each case's item among its candidates."""
    split, cases, target = validation.split, validation.cases, validation.targets
    vectors = validation.interests(network)
    trend = trend_of(split, network.config.trend_days)
    above, tied = np.zeros(len(cases), np.int64), np.zeros(len(cases), np.int64)
    for p in np.unique(target):
        items = output_vectors(network, split.table, int(p))
        for at in np.array_split(np.flatnonzero(target == p), 1 + (target == p).sum() // _BATCH):
            scores = vectors[at] @ items.T
            now_ms = split.table.time_ms[cases.row[at]]
            worth = vectors[at][:, vectors.shape[1] - len(trend.days) :]
            trend.add_to(scores, int(p), now_ms, worth)
            found = rank_cases(scores, cases.select(at), split.table)
            above[at], tied[at] = found.above, found.tied
    return Ranks(above, tied)


def figures(found: Ranks) -> dict[str, float]:
    """Mean of every metric over the cases, to five places."""
    return {name: round(float(value.mean()), 5) for name, value in case_metrics(found).items()}
