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
PREPARED = 1024
"""Steps that are prepared together, more where a wave is wider: their items' vectors, and what
their first halves give, stay in the processor's caches until they are used."""


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
    ends = np.cumsum(widths)
    marked = np.searchsorted(np.flatnonzero(reset | snapshot), [0, *ends])
    takes_snapshots = (marked[1:] != marked[:-1]).tolist()
    before: NDArray[np.float16] = slab.rows["current"][rows]
    final = np.empty_like(before)
    taken = _Taken(model, catalogue, steps.item[order], platform, action, dt, ends)
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
    """The steps of the waves; what needs no state is prepared for many waves at once.

    That is the items' vectors and, where there are halves, the first half of the step.

    Args:
        model: the step, perhaps in two halves.
        catalogue: items.
        item: row of each event's item, as all columns in the order of the waves [n].
        platform: [n].
        action: [n].
        dt: [n].
        ends: end of each wave.
    """

    def __init__(
        self,
        model: StepModel,
        catalogue: Catalogue,
        item: Int64,
        platform: Int64,
        action: Int64,
        dt: NDArray[np.float32],
        ends: Int64,
    ) -> None:
        self._model, self._catalogue = model, catalogue
        self._halves: StepHalves | None = getattr(model, "halves", None)
        self._item, self._platform, self._action, self._dt = item, platform, action, dt
        self._ends = ends
        self._begin = self._end = 0
        self._prepared: list[NDArray[Any]] = []

    def after(self, state: NDArray[np.float16], start: int, end: int) -> NDArray[np.float16]:
        """States after a wave, of which all before have been taken."""
        if end > self._end:
            until = min(max(end, start + PREPARED), int(self._ends[-1]))
            self._begin, self._end = start, int(self._ends[np.searchsorted(self._ends, until)])
            self._prepared = self._prepare(slice(start, self._end))
        place = slice(start - self._begin, end - self._begin)
        prepared = [column[place] for column in self._prepared]
        if self._halves is None:
            return self._model.step(state, *prepared)
        return self._halves.recur(state, prepared)

    def _prepare(self, rows: slice) -> list[NDArray[Any]]:
        """What the step (its second half, where there are halves) takes beside the state."""
        platform = self._platform[rows]
        item = self._catalogue.gather(platform, self._item[rows])
        inputs = item, platform, self._action[rows], self._dt[rows]
        return list(inputs) if self._halves is None else self._halves.enter(*inputs)


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
