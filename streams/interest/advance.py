"""Applying events to users: from columns in arrival order to advanced states."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from streams.interest.catalogue import Catalogue
from streams.interest.effects import CallTimes, Counts
from streams.interest.placement import expire, plan, write_plan
from streams.interest.rebuild import place_arrivals, rebuild_from_windows
from streams.interest.slab import Slab
from streams.interest.state import ACTION_BITS
from streams.interest.steps import Groups, Steps
from streams.interest.waves import StepModel, run_waves
from streams.interest.window import maybe_repeated, out_of_order


@dataclass(slots=True)
class PendingSteps:
    """New events that wait to be applied, column by column, in arrival order."""

    row: list[int] = field(default_factory=list)
    time_ms: list[int] = field(default_factory=list)
    platform: list[int] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    item: list[int] = field(default_factory=list)
    hash40: list[int] = field(default_factory=list)
    event: list[int] = field(default_factory=list)

    def repeat_last(self, other: PendingSteps, row: int) -> None:
        """Take the last event of others for another row."""
        for column in fields(self):
            getattr(self, column.name).append(getattr(other, column.name)[-1])
        self.row[-1] = row

    def steps(self) -> Steps:
        """The columns as arrays."""

        def column(values: list[int]) -> NDArray[np.int64]:
            return np.array(values, np.int64)

        return Steps(
            row=column(self.row),
            time_ms=column(self.time_ms),
            platform=column(self.platform),
            action=column(self.action),
            item=column(self.item),
            hash40=column(self.hash40),
            event=column(self.event),
            counted=np.ones(len(self.row), np.bool_),
        )


class Stepper:
    """Applies events to the users of a slab.

    Args:
        slab: users in memory.
        catalogue: items.
        model: the step graph.
        horizon_ms: length of the window in event time.
        counts: takes what was applied and what was kept out.
        times: takes the size and seconds of each call.

    Attributes:
        changed: rows whose state or window changed.
    """

    def __init__(
        self,
        slab: Slab,
        catalogue: Catalogue,
        model: StepModel,
        horizon_ms: int,
        counts: Counts,
        times: CallTimes,
    ) -> None:
        self._slab = slab
        self._catalogue = catalogue
        self._model = model
        self._horizon_ms = horizon_ms
        self._counts = counts
        self._times = times
        self.changed: set[int] = set()

    def apply(self, steps: Steps) -> None:
        """New events in arrival order: accept them, put them in time order, advance."""
        self.renew(steps.row)
        self.advance(self._in_time_order(steps))

    def renew(self, rows: NDArray[np.int64]) -> None:
        """Compute the states of rows (some perhaps twice) again where another bundle made them.

        A row whose window is empty gets the state of a user without events.
        """
        slab = self._slab
        stale = slab.rows["bundle"][rows] != slab.bundle
        if stale.any():
            again = np.unique(rows[stale])
            self.advance(rebuild_from_windows(slab, self._catalogue, again))
            self.changed.update(again.tolist())
            self._counts.renewed += len(again)

    def advance(self, steps: Steps, *, merged: bool = False) -> None:
        """Take steps that are sorted by user, each user's in time order.

        Args:
            steps: the steps.
            merged: they were applied before, for a provisional user; the user's counts rise,
                those of the metrics don't.
        """
        if not len(steps):
            return
        slab = self._slab
        groups = Groups.of(steps.row)
        layout = plan(slab, steps, groups, self._horizon_ms)
        run_waves(slab, self._model, self._catalogue, steps, groups, layout, self._times)
        users = steps.row[groups.start]
        write_plan(slab, steps, groups, layout)
        expire(slab, users, self._horizon_ms)
        self.changed.update(users.tolist())
        if not merged:
            self._count(steps.take(steps.counted))

    def _count(self, counted: Steps) -> None:
        kinds = np.bincount(counted.platform << ACTION_BITS | counted.action)
        for kind in np.flatnonzero(kinds).tolist():
            platform, action = kind >> ACTION_BITS, kind & ((1 << ACTION_BITS) - 1)
            self._counts.applied[platform, action] += int(kinds[kind])

    def _in_time_order(self, steps: Steps) -> Steps:
        """Accepted steps sorted by user and event time.

        Nearly all users have events in order and no repeats; the others are looked at one by
        one, and go back where an event came late.
        """
        steps = steps.take(np.argsort(steps.row, kind="stable"))
        groups = Groups.of(steps.row)
        special = out_of_order(self._slab, steps, groups) | maybe_repeated(self._slab, steps)
        if not special.any():
            return steps
        users = np.unique(groups.of_step[special])
        parts = [steps.take(~np.isin(groups.of_step, users))]
        for user in users.tolist():
            start, size = int(groups.start[user]), int(groups.size[user])
            arrivals = steps.take(np.arange(start, start + size))
            placed, admission = place_arrivals(
                self._slab, self._catalogue, arrivals, self._horizon_ms
            )
            parts.append(placed)
            self._counts.skipped["late"] += admission.late
            self._counts.skipped["duplicate"] += admission.duplicate
        return Steps.concat(parts)
