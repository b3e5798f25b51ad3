"""Toy items that are ranked, and an update that puts cases aside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.quality.judge import Judge
from streams.quality.popularity import Popularity
from streams.quality.sampler import Sampler
from streams.update.updater import Updater
from streams.windows.layout import Layout
from tests.unit.streams.toy import (
    DAY_MS,
    PLATFORMS,
    MemoryStore,
    S,
    ToyModel,
    toy_catalogue,
    toy_updater,
)

REFUND = ACTIONS.index("refund")


class Ranked:
    """Output vectors of ``n`` items named i0, i1, ..."""

    def __init__(self, seed: int, n: int = 20) -> None:
        self.id_list: Sequence[str] = [f"i{k}" for k in range(n)]
        rng = np.random.default_rng(seed)
        self.vectors_out: NDArray[np.float16] = rng.normal(size=(n, S)).astype(np.float16)


ITEMS = {name: Ranked(k) for k, name in enumerate(PLATFORMS)}


def make_judge(model: ToyModel, window: int = 8, candidates: int = 1000) -> Judge:
    layout = Layout(len(PLATFORMS), S, window)
    return Judge(
        "b",
        model,
        toy_catalogue(),
        ITEMS,
        layout,
        candidates=candidates,
        horizon_ms=30 * DAY_MS,
    )


def watched(rate: float = 1.0) -> tuple[Updater, Sampler, MemoryStore]:
    updater = toy_updater()
    popularity = Popularity([20] * len(PLATFORMS), 1000.0)
    sampler = Sampler(make_judge(ToyModel()), rate, REFUND, popularity)
    updater.observer = sampler
    return updater, sampler, MemoryStore()
