"""Model steps of a batch, as few ONNX calls as the busiest user allows.

Steps of different users are independent, steps of one user are a chain: wave k holds every
user's k-th step. A batch over all partitions makes wider waves than a batch over one.
"""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.interest.catalogue import Catalogue
from streams.interest.effects import CallTimes
from streams.interest.placement import Plan
from streams.interest.slab import Slab
from streams.interest.steps import Groups, Steps

SECONDS_PER_NS = 1e-9


class StepModel(Protocol):
    """One recurrent step for B users; see ``models.contract``."""

    def step(
        self,
        state: NDArray[np.float16],
        item: NDArray[np.float32],
        platform: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> NDArray[np.float16]:
        """States [B, S] after one event each."""


def run_waves(
    slab: Slab,
    model: StepModel,
    catalogue: Catalogue,
    steps: Steps,
    groups: Groups,
    plan: Plan,
    times: CallTimes,
) -> None:
    """Advance the current states of ``slab`` by ``steps``, taking snapshots as planned."""
    order = np.argsort(groups.rank, kind="stable")
    ends = np.cumsum(np.bincount(groups.rank))
    row, platform, action = steps.row[order], steps.platform[order], steps.action[order]
    dt, reset, snapshot = plan.dt[order], plan.reset[order], plan.snapshot[order]
    item = catalogue.gather(platform, steps.item[order])
    current, middle, base = slab.rows["current"], slab.rows["middle"], slab.rows["base"]
    marked = np.flatnonzero(reset | snapshot)
    clock = time.perf_counter_ns
    start = 0
    for end in ends.tolist():
        wave = slice(start, end)
        rows = row[wave]
        if len(marked) and np.searchsorted(marked, start) != np.searchsorted(marked, end):
            _take_snapshots(current, middle, base, rows, reset[wave], snapshot[wave])
        began = clock()
        current[rows] = model.step(
            current[rows], item[wave], platform[wave], action[wave], dt[wave]
        )
        times.add(end - start, (clock() - began) * SECONDS_PER_NS)
        start = end


def _take_snapshots(
    current: NDArray[np.float16],
    middle: NDArray[np.float16],
    base: NDArray[np.float16],
    rows: NDArray[np.int64],
    reset: NDArray[np.bool_],
    snapshot: NDArray[np.bool_],
) -> None:
    taken, anew = rows[snapshot], rows[reset]
    base[taken] = middle[taken]
    middle[taken] = current[taken]
    base[anew] = current[anew]
    middle[anew] = current[anew]
