"""Model steps of a batch, as few ONNX calls as the busiest user allows.

Steps of different users are independent, steps of one user are a chain: wave k holds every
user's k-th step. A batch over all partitions makes wider waves than a batch over one. Waves of
the same users follow each other within one call where the bundle has a graph for it: the few
busiest users have most of the waves, and a call for a few rows costs more than the rows.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.bundles.graphs import StepHalves
from streams.effects.effects import CallTimes
from streams.windows.ring import RingPlan
from streams.windows.slab import Slab
from streams.windows.snapshots import Snapshots
from streams.windows.step_columns import Groups, StepColumns

Int64 = NDArray[np.int64]

SECONDS_PER_NS = 1e-9
PREPARED = 1024
"""Steps that are prepared together, more where a wave is wider: their items' vectors, and what
their first halves give, stay in the processor's caches until they are used. Waves are taken in
one call up to so many steps."""


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
    steps: StepColumns,
    groups: Groups,
    plan: RingPlan,
    times: CallTimes,
) -> None:
    """Advance the current states of ``slab`` by ``steps``, taking snapshots as planned.

    Users are put in the order of how many steps they have, most first. Each wave's users are
    then the first so many of the wave's before, and nothing has to be gathered between two.
    """
    users, order, widths = _arrange(groups)
    of_group = steps.row[groups.start]
    rows = of_group[users]
    platform, action, dt = steps.platform[order], steps.action[order], plan.dt[order]
    halves: StepHalves | None = getattr(model, "halves", None)
    width_of, ends = _stretches(widths, PREPARED if halves and halves.has_chain else 0)
    before: NDArray[np.float16] = slab.rows["current"][rows]
    snapshots = Snapshots(groups, plan, order, before.shape[1])
    final = np.empty_like(before)
    prepared = _PreparedSteps(
        model, halves, catalogue, steps.item[order], platform, action, dt, ends
    )
    clock = time.perf_counter_ns
    start = 0
    for end, width in zip(ends.tolist(), width_of.tolist(), strict=True):
        final[width : len(before)] = before[width:]  # users who have no further step
        before = before[:width]
        began = clock()
        after = prepared.after(before, start, end)
        times.add(width, (clock() - began) * SECONDS_PER_NS)
        snapshots.keep(start, end, before, after)
        before, start = after[-1], end
    snapshots.write(slab, of_group)
    final[: len(before)] = before
    slab.rows["current"][rows] = final


class _PreparedSteps:
    """The steps of the waves; what needs no state is prepared for many waves at once.

    That is the items' vectors and, where there are halves, the first half of the step.

    Args:
        model: the step.
        halves: the same in two halves, where the bundle has them.
        catalogue: items.
        item: row of each event's item, as all columns in the order of the waves [n].
        platform: [n].
        action: [n].
        dt: [n].
        ends: end of each stretch of waves.
    """

    def __init__(
        self,
        model: StepModel,
        halves: StepHalves | None,
        catalogue: Catalogue,
        item: Int64,
        platform: Int64,
        action: Int64,
        dt: NDArray[np.float32],
        ends: Int64,
    ) -> None:
        self._model, self._halves, self._catalogue = model, halves, catalogue
        self._item, self._platform, self._action, self._dt = item, platform, action, dt
        self._ends = ends
        self._begin = self._end = 0
        self._prepared: list[NDArray[Any]] = []

    def after(self, state: NDArray[np.float16], start: int, end: int) -> NDArray[np.float16]:
        """States [T, B, S] after each of a stretch's T waves; all before have been taken."""
        if end > self._end:
            until = min(max(end, start + PREPARED), int(self._ends[-1]))
            self._begin, self._end = start, int(self._ends[np.searchsorted(self._ends, until)])
            self._prepared = self._prepare(slice(start, self._end))
        index = slice(start - self._begin, end - self._begin)
        prepared = [column[index] for column in self._prepared]
        if self._halves is None:
            return self._model.step(state, *prepared)[None]
        if end - start > len(state):
            return self._halves.chain(state, prepared)
        return self._halves.recur(state, prepared)[None]

    def _prepare(self, rows: slice) -> list[NDArray[Any]]:
        """What the step (its second half, where there are halves) takes beside the state."""
        platform = self._platform[rows]
        item = self._catalogue.gather(platform, self._item[rows])
        inputs = platform, self._action[rows], self._dt[rows]
        if self._halves is None:
            return [item.astype(np.float32), *inputs]
        return self._halves.enter(item, *inputs)


def _arrange(groups: Groups) -> tuple[Int64, Int64, Int64]:
    """Users by falling number of steps, steps by wave and then in that order, waves' widths."""
    users = np.argsort(-groups.size, kind="stable")
    index = np.empty_like(users)
    index[users] = np.arange(len(users))
    order = np.argsort(groups.rank * len(users) + index[groups.of_step])
    return users, order, np.bincount(groups.rank)


def _stretches(widths: Int64, limit: int) -> tuple[Int64, Int64]:
    """Waves that are taken in one call: those of one width, up to ``limit`` steps together.

    Returns:
        Width and end of each stretch.
    """
    first = np.ones(len(widths), np.bool_)
    first[1:] = widths[1:] != widths[:-1]
    index = np.arange(len(widths))
    index -= np.maximum.accumulate(np.where(first, index, 0))  # within its width
    starts = np.flatnonzero(index % np.maximum(1, limit // widths) == 0)
    return widths[starts], np.cumsum(widths)[np.append(starts[1:], len(widths)) - 1]
