"""Model steps of a batch, as few ONNX calls as the busiest user allows.

Steps of different users are independent, steps of one user are a chain: wave k holds every
user's k-th step. A batch over all partitions makes wider waves than a batch over one.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.interest.catalogue import Catalogue
from streams.interest.effects import CallTimes
from streams.interest.graphs import StepHalves
from streams.interest.placement import Plan
from streams.interest.slab import Slab
from streams.interest.steps import Groups, Steps

Int64 = NDArray[np.int64]

SECONDS_PER_NS = 1e-9
ENTERED = 1024
"""Steps whose first halves are computed together, more where a wave is wider: what they give
stays in the processor's caches until it is used."""


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
    """Advance the current states of ``slab`` by ``steps``, taking snapshots as planned.

    Users are put in the order of how many steps they have, most first. Each wave's users are
    then the first so many of the wave's before, and nothing has to be gathered between two.
    """
    users, order, widths = _arrange(groups)
    rows = steps.row[groups.start][users]
    platform, action, dt = steps.platform[order], steps.action[order], plan.dt[order]
    reset, snapshot = plan.reset[order], plan.snapshot[order]
    item = catalogue.gather(platform, steps.item[order])
    ends = np.cumsum(widths)
    marked = np.searchsorted(np.flatnonzero(reset | snapshot), [0, *ends])
    takes_snapshots = (marked[1:] != marked[:-1]).tolist()
    before: NDArray[np.float16] = slab.rows["current"][rows]
    final = np.empty_like(before)
    taken = _Taken(model, item, platform, action, dt, ends)
    clock = time.perf_counter_ns
    start = 0
    for end, width, takes in zip(ends.tolist(), widths.tolist(), takes_snapshots, strict=True):
        final[width : len(before)] = before[width:]  # users who have no further step
        before, wave = before[:width], slice(start, end)
        if takes:
            _take_snapshots(slab, rows[:width], before, reset[wave], snapshot[wave])
        began = clock()
        before = taken.after(before, start, end)
        times.add(width, (clock() - began) * SECONDS_PER_NS)
        start = end
    final[: len(before)] = before
    slab.rows["current"][rows] = final


class _Taken:
    """The steps of the waves; their first halves over many waves at once, where there are halves.

    Args:
        model: the step, perhaps in two halves.
        item: vector of each event's item, as all columns in the order of the waves [n, D].
        platform: [n].
        action: [n].
        dt: [n].
        ends: end of each wave.
    """

    def __init__(
        self,
        model: StepModel,
        item: NDArray[np.float32],
        platform: Int64,
        action: Int64,
        dt: NDArray[np.float32],
        ends: Int64,
    ) -> None:
        self._model = model
        self._halves: StepHalves | None = getattr(model, "halves", None)
        self._item, self._platform, self._action, self._dt = item, platform, action, dt
        self._ends = ends
        self._begin = self._end = 0
        self._entered: list[NDArray[Any]] = []

    def after(self, state: NDArray[np.float16], start: int, end: int) -> NDArray[np.float16]:
        """States after a wave, of which all before have been taken."""
        if self._halves is None:
            return self._model.step(state, *self._inputs(start, end))
        if end > self._end:
            until = min(max(end, start + ENTERED), int(self._ends[-1]))
            self._begin, self._end = start, int(self._ends[np.searchsorted(self._ends, until)])
            self._entered = self._halves.enter(*self._inputs(start, self._end))
        place = slice(start - self._begin, end - self._begin)
        return self._halves.recur(state, [column[place] for column in self._entered])

    def _inputs(
        self, start: int, end: int
    ) -> tuple[NDArray[np.float32], Int64, Int64, NDArray[np.float32]]:
        rows = slice(start, end)
        return self._item[rows], self._platform[rows], self._action[rows], self._dt[rows]


def _arrange(groups: Groups) -> tuple[Int64, Int64, Int64]:
    """Users by falling number of steps, steps by wave and then in that order, waves' widths."""
    users = np.argsort(-groups.size, kind="stable")
    place = np.empty_like(users)
    place[users] = np.arange(len(users))
    order = np.argsort(groups.rank * len(users) + place[groups.of_step])
    return users, order, np.bincount(groups.rank)


def _take_snapshots(
    slab: Slab,
    rows: Int64,
    current: NDArray[np.float16],
    reset: NDArray[np.bool_],
    snapshot: NDArray[np.bool_],
) -> None:
    middle, base = slab.rows["middle"], slab.rows["base"]
    taken, anew = rows[snapshot], rows[reset]
    base[taken] = middle[taken]
    middle[taken] = current[snapshot]
    base[anew] = current[reset]
    middle[anew] = current[reset]
