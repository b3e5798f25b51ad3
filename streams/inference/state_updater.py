"""Applying events to users: from columns in arrival order to advanced states."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.effects.effects import CallTimes, Counts
from streams.inference.waves import StepModel, run_waves
from streams.windows.duplicates import maybe_repeated
from streams.windows.late_events import order_arrivals, out_of_order
from streams.windows.layout import ACTION_BITS
from streams.windows.rewind import rebuild_from_windows
from streams.windows.ring import expire, plan_rings, write_rings
from streams.windows.slab import Slab
from streams.windows.step_columns import Groups, StepColumns


class PendingSteps:
    """New events that wait to be applied, in arrival order."""

    def __init__(self) -> None:
        self._parts: list[StepColumns] = []
        self._single: list[tuple[int, ...]] = []
        self._rows: set[int] = set()

    def __len__(self) -> int:
        return len(self._single) + sum(map(len, self._parts))

    def append(
        self,
        row: int,
        time_ms: int,
        platform: int,
        action: int,
        item: int,
        hash40: int,
        event: int,
    ) -> None:
        """One more event; see :class:`streams.windows.step_columns.StepColumns`."""
        self._single.append((row, time_ms, platform, action, item, hash40, event))
        self._rows.add(row)

    def repeat_last(self, other: PendingSteps, row: int) -> None:
        """Take for another row what was appended last to others."""
        self._single.append((row, *other._single[-1][1:]))
        self._rows.add(row)

    def extend(self, steps: StepColumns) -> None:
        """More events."""
        self._close_part()
        self._parts.append(steps)

    def waits_for(self, row: int | None) -> bool:
        """Whether there is an event of a row."""
        return row in self._rows or any(bool((part.row == row).any()) for part in self._parts)

    def take(self) -> StepColumns:
        """Everything; nothing is pending then."""
        self._close_part()
        steps = StepColumns.concat(self._parts) if self._parts else StepColumns.empty()
        self._parts.clear()
        self._rows.clear()
        return steps

    def _close_part(self) -> None:
        if self._single:
            row, time_ms, platform, action, item, hash40, event = np.array(self._single, np.int64).T
            counted = np.ones(len(row), np.bool_)
            self._parts.append(
                StepColumns(row, time_ms, platform, action, item, hash40, event, counted)
            )
            self._single.clear()


class Observer(Protocol):
    """Whoever looks on while events are applied (``quality``)."""

    def see(self, slab: Slab, steps: StepColumns, groups: Groups) -> None:
        """Steps that are about to be taken, sorted by user; ``slab`` is as it was before."""


class StateUpdater:
    """Applies events to the users of a slab.

    Args:
        slab: users in memory.
        catalogue: items.
        model: the step graph.
        horizon_ms: length of the window in event time.
        counts: takes what was applied and what was kept out.
        times: takes the size and seconds of each call.

    Attributes:
        slab, catalogue: as given.
        changed: rows whose state or window changed.
        observer: sees steps before they are taken.
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
        self.slab = slab
        self.catalogue = catalogue
        self._model = model
        self._horizon_ms = horizon_ms
        self._counts = counts
        self._times = times
        self.changed: set[int] = set()
        self.observer: Observer | None = None

    def beside(self, slab: Slab) -> StateUpdater:
        """The same for further rows of users; what it counts is counted here already."""
        return StateUpdater(
            slab, self.catalogue, self._model, self._horizon_ms, Counts(), self._times
        )

    def apply(self, steps: StepColumns) -> None:
        """New events in arrival order: accept them, put them in time order, advance."""
        self.renew(steps.row)
        self.advance(self._in_time_order(steps))

    def renew(self, rows: NDArray[np.int64]) -> None:
        """Compute the states of rows (some perhaps twice) again where another bundle made them.

        A row whose window is empty gets the state of a user without events.
        """
        slab = self.slab
        stale = slab.rows["bundle"][rows] != slab.bundle
        if stale.any():
            renewed = np.unique(rows[stale])
            self.advance(rebuild_from_windows(slab, self.catalogue, renewed))
            self.changed.update(renewed.tolist())
            self._counts.renewed += len(renewed)

    def advance(self, steps: StepColumns, *, merged: bool = False) -> None:
        """Take steps that are sorted by user, each user's in time order.

        Args:
            steps: the steps.
            merged: they were applied before, for a provisional user; the user's counts rise,
                those of the metrics don't.
        """
        if not len(steps):
            return
        slab = self.slab
        groups = Groups.of(steps.row)
        if self.observer is not None and not merged:
            self.observer.see(slab, steps, groups)
        plan = plan_rings(slab, steps, groups, self._horizon_ms)
        run_waves(slab, self._model, self.catalogue, steps, groups, plan, self._times)
        users = steps.row[groups.start]
        write_rings(slab, steps, groups, plan)
        expire(slab, users, self._horizon_ms)
        self.changed.update(users.tolist())
        if not merged:
            self._count(steps.take(steps.counted))

    def _count(self, counted: StepColumns) -> None:
        kinds = np.bincount(counted.platform << ACTION_BITS | counted.action)
        for kind in np.flatnonzero(kinds).tolist():
            platform, action = kind >> ACTION_BITS, kind & ((1 << ACTION_BITS) - 1)
            self._counts.applied[platform, action] += int(kinds[kind])

    def _in_time_order(self, steps: StepColumns) -> StepColumns:
        """Accepted steps sorted by user and event time.

        Nearly all users have events in order and no repeats; the others are looked at one by
        one, and go back where an event came late.
        """
        steps = steps.take(np.argsort(steps.row, kind="stable"))
        groups = Groups.of(steps.row)
        special = out_of_order(self.slab, steps, groups)
        special |= maybe_repeated(self.slab, steps, groups)
        if not special.any():
            return steps
        users = np.unique(groups.of_step[special])
        parts = [steps.take(~np.isin(groups.of_step, users))]
        for user in users.tolist():
            start, size = int(groups.start[user]), int(groups.size[user])
            arrivals = steps.take(np.arange(start, start + size))
            accepted, admission = order_arrivals(
                self.slab, self.catalogue, arrivals, self._horizon_ms
            )
            parts.append(accepted)
            self._counts.skipped["late"] += admission.late
            self._counts.skipped["duplicate"] += admission.duplicate
        return StepColumns.concat(parts)
