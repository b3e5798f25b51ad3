"""What each target gets of the bridge: chosen on validation, all choices from the same scores.

The score of an item is a sum of three parts: what the network says, the bridge's sum over the
history, and the logarithms of the trend. Each part is computed once; a choice weighs them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from models.data.sequences import F32
from models.items.trend import trend_of
from models.metrics.ranking_metrics import Float64, case_metrics
from models.metrics.ranks import contest, rank_scores
from models.protocols.cases import Cases, Split
from models.recurrence.network import Network
from models.training.infer import Validation, output_vectors


class Choice(NamedTuple):
    """What one target gets.

    Attributes:
        bridge: which of several bridges.
        loud: nats for what its regression takes for certain; 0 leaves it out.
        trend: what a unit of the trend is worth beyond what the network has learned, for
            everybody: whom the target has never seen needs it more than who was trained on.
    """

    bridge: int
    loud: float
    trend: float


SILENT: Final = Choice(0, 0.0, 0.0)
LOUDNESS: Final = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
TREND: Final = (0.0, -0.5, 0.5, 1.0, 2.0, 4.0)
# Cases whose scores of a whole catalogue are held at once.
_BATCH: Final = 256


def choose(bridges: Sequence[Network], validation: Validation) -> list[Choice]:
    """The best choice for each target by NDCG@10; ``SILENT`` where it has no case.

    Args:
        bridges: the same network with different bridges, each of them silent.
        validation: what they are judged by.
    """
    split, cases, targets = validation.split, validation.cases, validation.targets
    worth = TREND if bridges[0].config.trend_days else (0.0,)
    best = [(0.0, SILENT) for _ in split.table.platforms]
    for number, network in enumerate(bridges):
        choices = [Choice(number, *rest) for rest in itertools.product(LOUDNESS, worth)]
        vectors = _loud_interests(network, validation)
        for p in np.unique(targets).tolist():
            at = np.flatnonzero(targets == p)
            quality = _quality(network, split, cases.select(at), vectors[at], choices)
            found = int(quality.argmax())
            best[p] = max(best[p], (quality[found], choices[found]), key=lambda one: one[0])
    return [choice for _, choice in best]


def _loud_interests(network: Network, validation: Validation) -> F32:
    """Interest vectors [n, V] with the bridge at one nat."""
    network.heads.usual.data[:, 0] = 1.0
    vectors = validation.interests(network)
    network.heads.usual.data[:, 0] = 0.0
    return vectors


def _quality(
    network: Network, split: Split, cases: Cases, vectors: F32, choices: Sequence[Choice]
) -> Float64:
    """NDCG@10 of one target's cases [n], whose vectors are [n, V], for each choice."""
    target, size = int(split.targets(cases)[0]), network.config
    outputs = output_vectors(network, split.table, target)  # [N, V]
    trend = trend_of(split, size.trend_days)
    bridge = slice(size.dim + 1, size.dim + 1 + size.title_dim)
    totals = np.zeros(len(choices))
    for some in np.array_split(np.arange(len(cases)), 1 + len(cases) // _BATCH):
        batch, mine = cases.select(some), vectors[some]
        now_ms = split.table.time_ms[batch.row]
        network_scores = mine[:, : size.dim + 1] @ outputs[:, : size.dim + 1].T  # [n, N]
        bridge_scores = mine[:, bridge] @ outputs[:, bridge].T
        trend_scores = np.zeros_like(network_scores)
        learned = mine[:, bridge.stop :]
        trend.add_to(network_scores, target, now_ms, learned)
        trend.add_to(trend_scores, target, now_ms, np.ones_like(learned))
        by_network, by_bridge, by_trend = (
            contest(scores, batch, split.table)
            for scores in (network_scores, bridge_scores, trend_scores)
        )
        for at, choice in enumerate(choices):
            scores = by_network.scores + choice.loud * by_bridge.scores
            scores += choice.trend * by_trend.scores
            ranks = rank_scores(scores, by_network.target, by_network.valid)
            totals[at] += case_metrics(ranks)["ndcg@10"].sum()
    return totals / len(cases)
