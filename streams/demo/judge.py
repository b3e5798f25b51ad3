"""Do the vectors follow what people are really into? Pure arithmetic on the simulator's truth.

The measure is NDCG@10 (Järvelin and Kekäläinen 2002) with an item's expected relevance as its
gain: 1 where the ten items on top are the ten that the person cares for most, in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
K: Final = 10
CONFIDENCE: Final = 2.0
"""Standard errors by which the vectors must be ahead."""


def ndcg(scores: Floats, relevance: Floats, k: int = K) -> NDArray[np.float64]:
    """NDCG@k of n rankings, float64 [n].

    Args:
        scores: [n, N], or [N] for the same ranking for all; higher is better, ties by place.
        relevance: [n, N], gains, not negative.
        k: how many places count.
    """
    rows = np.broadcast_to(scores, relevance.shape)
    k = min(k, relevance.shape[1])
    order = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    best = -np.sort(-relevance, axis=1)[:, :k]
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    got = np.take_along_axis(relevance, order, axis=1) @ discount
    ideal = best @ discount
    return np.asarray(np.divide(got, ideal, out=np.zeros_like(got), where=ideal > 0.0))


@dataclass(frozen=True, slots=True)
class Judged:
    """Everybody whom one target platform has a vector for.

    Attributes:
        users: n names.
        vectors: NDCG@10 by vector, float64 [n].
        popular: NDCG@10 by popularity, float64 [n].
        newcomer: bool [n], has no event on the target: all that the vector knows came from
            other platforms.
    """

    users: list[str]
    vectors: NDArray[np.float64]
    popular: NDArray[np.float64]
    newcomer: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement over all targets.

    Attributes:
        people: how many have a vector somewhere.
        vectors: mean NDCG@10 by vector.
        popular: mean NDCG@10 by popularity.
        error: standard error of the difference of the two, over people.
        newcomers: (number, by vector, by popularity) where the target never saw the person.
        by_target: platform to (people, by vector, by popularity).
    """

    people: int
    vectors: float
    popular: float
    error: float
    newcomers: tuple[int, float, float]
    by_target: Mapping[str, tuple[int, float, float]]

    @property
    def gain(self) -> float:
        """By how much vectors are ahead of popularity."""
        return self.vectors - self.popular

    @property
    def follows(self) -> bool:
        """Whether vectors are ahead beyond chance."""
        return self.people > 1 and self.gain > CONFIDENCE * self.error


def judge(targets: Mapping[str, Judged]) -> Verdict:
    """Put the targets together; each person counts once, with the mean over targets."""
    people: dict[str, list[tuple[float, float]]] = {}
    for judged in targets.values():
        for user, vector, popular in zip(
            judged.users, judged.vectors.tolist(), judged.popular.tolist(), strict=True
        ):
            people.setdefault(user, []).append((vector, popular))
    means = np.array([np.mean(pairs, axis=0) for pairs in people.values()]).reshape(-1, 2)
    gains = means[:, 0] - means[:, 1]
    spread = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else float("inf")
    vectors, popular = means.mean(axis=0).tolist() if len(means) else (0.0, 0.0)
    return Verdict(
        people=len(people),
        vectors=vectors,
        popular=popular,
        error=spread,
        newcomers=_mean([(j.vectors[j.newcomer], j.popular[j.newcomer]) for j in targets.values()]),
        by_target={name: _mean([(j.vectors, j.popular)]) for name, j in targets.items()},
    )


def _mean(parts: list[tuple[Floats, Floats]]) -> tuple[int, float, float]:
    vectors = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0)
    popular = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0)
    if not len(vectors):
        return 0, 0.0, 0.0
    return len(vectors), float(vectors.mean()), float(popular.mean())
