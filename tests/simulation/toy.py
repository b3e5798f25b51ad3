"""Settings, items and a model for the simulator: small, and exact to the last bit."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.bundles.catalogue import Catalogue
from streams.identity.directory import IdDirectory
from streams.intake.intake import Intake
from streams.settings import Settings, parse_settings
from streams.update.context import ActiveBundle
from streams.update.updater import Updater
from streams.windows.layout import Layout
from streams.windows.slab import Slab

PLATFORMS: Final = ("video", "shop")
"""Ids of ``video`` are shared, those of ``shop`` are linked to users."""
EVENTS: Final = "events"
STATE: Final = 8
PRIME: Final = 2039
"""States are integers below this, which a float16 holds exactly."""
ITEMS: Final = 12
DAY_MS: Final = 86_400_000
HORIZON_MS: Final = 30 * DAY_MS
START_MS: Final = 1_760_000_000_000
BUNDLES: Final = (7, 8, 9)
"""Tags of the bundles that may be announced; a worker starts with the first."""


class ExactModel:
    """A recurrence over integers: it depends on every input and on their order, exactly.

    Args:
        bundle: another one computes other states from the same events, and other vectors.
    """

    def __init__(self, bundle: int) -> None:
        self._scale = np.arange(3, 3 + STATE, dtype=np.int64) + 5 * (bundle - BUNDLES[0])
        self._sign = (-1) ** bundle * (1 + bundle)

    def step(
        self,
        state: NDArray[np.float16],
        item: NDArray[np.float32],
        platform: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> NDArray[np.float16]:
        """States after one event each."""
        push = item[:, 0].astype(np.int64) + 31 * platform + 101 * action
        push += dt.astype(np.int64) * 7 + 1
        after = state.astype(np.int64) * self._scale + push[:, None] * (self._scale + 11) + 5
        return (after % PRIME).astype(np.float16)

    def migrate(self, state: NDArray[np.float16]) -> NDArray[np.float32]:
        """A vector per platform."""
        out = state.astype(np.float32)
        return np.stack([out * (k + 1) * self._sign for k in range(len(PLATFORMS))], axis=1)


class _Items:
    def __init__(self, place: int) -> None:
        self.id_list = [f"i{k}" for k in range(ITEMS)]
        numbers = np.arange(1, ITEMS + 2) + 40 * place
        self.vectors_in = numbers.astype(np.float16)[:, None]


MODELS: Final = {bundle: ExactModel(bundle) for bundle in BUNDLES}
CATALOGUE: Final = Catalogue(PLATFORMS, {name: _Items(k) for k, name in enumerate(PLATFORMS)})
DIRECTORY: Final = IdDirectory(PLATFORMS, {"video": True, "shop": False})


@cache
def sim_settings(partitions: int, refuse: bool = False) -> Settings:
    """Settings of the simulated service."""
    return parse_settings(
        {
            "events": {"topic": EVENTS, "partitions": partitions},
            "window": {"max_future_s": 60},
            "consent": {"topic": "consent"},
            "erasure": {"topic": "erasure", "later_events": "refuse" if refuse else "restart"},
            "platforms": [
                {"name": "video", "topics": {"any": "video"}},
                {"name": "shop", "ids": "linked", "topics": {"any": "shop"}},
            ],
        }
    )


@cache
def sim_intake(partitions: int, refuse: bool) -> Intake:
    """The real intake; it has no state."""
    return Intake(sim_settings(partitions, refuse))


def sim_slab(window: int, capacity: int, bundle: int) -> Slab:
    """An empty slab for the users of a bundle."""
    return Slab(Layout(len(PLATFORMS), STATE, window), bundle, capacity)


def sim_bundle(window: int, capacity: int, bundle: int) -> ActiveBundle:
    """A bundle with the exact model, and an empty slab."""
    slab = sim_slab(window, capacity, bundle)
    return ActiveBundle(slab, CATALOGUE, MODELS[bundle], DIRECTORY, ACTIONS)


def sim_updater(partitions: int, window: int, capacity: int, bundle: int = BUNDLES[0]) -> Updater:
    """The real update over the exact model."""
    active = sim_bundle(window, capacity, bundle)
    updater = Updater(active, horizon_ms=HORIZON_MS, log_topic=EVENTS)
    updater.columns_from = 2  # both ways through a batch
    updater.know_sources(sim_settings(partitions).source_topics())
    return updater
