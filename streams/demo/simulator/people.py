"""The simulated people: which platforms they use, what they are into, and how that drifts.

What somebody is into at a time is the truth that vectors are judged by: a distribution over
``TOPICS``, piecewise constant in time, a pure function of (seed, person, time).
"""

from __future__ import annotations

import bisect
import functools
import random
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.demo.simulator.topics import PLATFORMS, TOPICS

LINKED: Final = frozenset({"shop"})
"""Platforms with ids of their own; the ids of the others are the user ids."""
DAY_MS: Final = 86_400_000
BACKGROUND: Final = 0.05
"""Part of every person's interest that is whatever everybody looks at."""
SUBSETS: Final = (
    (PLATFORMS, 0.70),
    (("video", "shop"), 0.10),
    (("shop", "news"), 0.08),
    (("video", "news"), 0.06),
    (("video",), 0.03),
    (("shop",), 0.03),
)
NEVER: Final = 1 << 30

_FIRST_NAMES: Final = (
    "ada", "amir", "anna", "ben", "carla", "chen", "david", "elif", "emma", "farah", "felix",
    "greta", "hana", "hugo", "ines", "ivan", "jana", "jonas", "julia", "kofi", "lara", "leo",
    "lina", "luca", "maya", "mira", "nadia", "noah", "nora", "olga", "omar", "pablo", "petra",
    "ravi", "rosa", "sam", "sara", "sofia", "tariq", "tom", "uma", "vera", "wei", "yara", "yusuf",
    "zoe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One simulated user.

    Attributes:
        index: 0-based number.
        user: canonical user id.
        platforms: where this person has an account.
        weights: share of sessions on each of ``platforms``.
        sessions_per_day: mean number of sessions a day.
        local_ids: platform to local id, for linked platforms among ``platforms``.
        login_after: number of anonymous sessions on a linked platform before the login that
            reveals the user (``NEVER``: no login).
        offset: fraction of a day by which this person's evening is ahead of UTC; people live
            all around the world.
    """

    index: int
    user: str
    platforms: tuple[str, ...]
    weights: tuple[float, ...]
    sessions_per_day: float
    local_ids: dict[str, str] = field(hash=False)
    login_after: int
    offset: float


def make_person(seed: int, index: int) -> Person:
    """Person ``index`` of the population of ``seed``."""
    rng = random.Random(f"{seed}/{index}/person")
    subsets, shares = zip(*SUBSETS, strict=True)
    platforms = rng.choices(subsets, shares)[0]
    raw = [rng.uniform(0.5, 1.5) for _ in platforms]
    # A permutation of 0..99,999 (7919 is prime to 100,000): customer numbers don't collide.
    number = (index * 7919 + 12_345) % 100_000
    lap = "" if index < 100_000 else f"-{index // 100_000}"
    return Person(
        index=index,
        user=f"{_FIRST_NAMES[index % len(_FIRST_NAMES)]}-{index // len(_FIRST_NAMES):02d}",
        platforms=platforms,
        weights=tuple(w / sum(raw) for w in raw),
        sessions_per_day=min(8.0, rng.lognormvariate(0.7, 0.5)),
        local_ids={p: f"c{number:05d}{lap}" for p in platforms if p in LINKED},
        login_after=rng.choices((0, 1, 3, NEVER), (0.75, 0.13, 0.07, 0.05))[0],
        offset=rng.random(),
    )


@functools.cache
def topic_popularity() -> NDArray[np.float64]:
    """How likely each topic is taken up, float64 [topics], sums to 1."""
    order = random.Random("topic popularity").sample(range(len(TOPICS)), len(TOPICS))
    weight = np.array([(1.0 + rank) ** -0.6 for rank in order])
    return np.asarray(weight / weight.sum())


class Interests:
    """What one person is into over time.

    A person holds two to four topics. At random times (exponential gaps) a new one comes in
    with much of the weight, and where there are four already the oldest goes.

    Args:
        seed: of the population.
        index: of the person.
        start_ms: time of the first distribution.
        drift_days: mean days between two changes.
    """

    def __init__(self, seed: int, index: int, start_ms: int, drift_days: float) -> None:
        self._rng = random.Random(f"{seed}/{index}/interests")
        self._drift_days = drift_days
        self._weights = self._first()
        self._times = [start_ms]
        self._mixes = [self._mix()]
        self._next_ms = start_ms + self._gap()

    def at(self, time_ms: int) -> NDArray[np.float64]:
        """Distribution over topics at a time, float64 [topics], sums to 1."""
        while self._next_ms <= time_ms:
            self._change()
        return self._mixes[max(0, bisect.bisect_right(self._times, time_ms) - 1)]

    def changes_until(self, time_ms: int) -> list[int]:
        """Times (ms) at which the interests changed, up to ``time_ms``."""
        self.at(time_ms)
        return [t for t in self._times[1:] if t <= time_ms]

    def _gap(self) -> int:
        return 1 + int(self._rng.expovariate(1.0 / self._drift_days) * DAY_MS)

    def _first(self) -> dict[int, float]:
        popular = topic_popularity().tolist()
        weights: dict[int, float] = {}
        for _ in range(self._rng.choices((2, 3, 4), (0.45, 0.4, 0.15))[0]):
            weights[self._new_topic(weights, popular)] = self._rng.gammavariate(2.0, 1.0)
        total = sum(weights.values())
        return {topic: w / total for topic, w in weights.items()}

    def _new_topic(self, held: dict[int, float], popular: list[float]) -> int:
        free = [k for k in range(len(TOPICS)) if k not in held]
        return self._rng.choices(free, [popular[k] for k in free])[0]

    def _change(self) -> None:
        fresh = self._new_topic(self._weights, topic_popularity().tolist())
        if len(self._weights) >= 4 or (len(self._weights) >= 3 and self._rng.random() < 0.5):
            del self._weights[next(iter(self._weights))]
        share, total = self._rng.uniform(0.35, 0.65), sum(self._weights.values())
        self._weights = {k: w / total * (1.0 - share) for k, w in self._weights.items()}
        self._weights[fresh] = share
        self._times.append(self._next_ms)
        self._mixes.append(self._mix())
        self._next_ms += self._gap()

    def _mix(self) -> NDArray[np.float64]:
        mix = BACKGROUND * topic_popularity()
        for topic, weight in self._weights.items():
            mix[topic] += (1.0 - BACKGROUND) * weight
        return mix
