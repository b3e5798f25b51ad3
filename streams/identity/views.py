"""Rows of users who don't allow everything: one for each set of sources, for one batch.

Between batches these rows are bytes in their user's stored value (``Privacy.views``), so that
all rows of a user are stored in one step. A batch that meets such a user opens them into a
slab of their own, applies to each what its set allows, and closes them again. Batches without
such users do nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.identity.allowed_sources import allowed_sources, of_sources, union
from streams.identity.directory import IdDirectory
from streams.inference.state_updater import PendingSteps, StateUpdater
from streams.windows.layout import ring_entries
from streams.windows.rewind import replay_steps
from streams.windows.slab import NEVER, Slab
from streams.windows.stored_tail import Privacy

FIRST_ROWS = 16
"""Rows for the views of a batch, to begin with."""


class Backing(NamedTuple):
    """The row that a target's vector is made of.

    Attributes:
        slab: where it is; None where the target may use nothing.
        row: its number there.
        changed: whether events changed it in this batch.
    """

    slab: Slab | None
    row: int
    changed: bool


class Views:
    """The views of the users of one batch.

    Args:
        users: advances the users' own rows.
        directory: who gets whose vectors.
        on_rebuilt: told of users whose own row is another one now.

    Attributes:
        changed: users (their own rows) that must be stored because of their views.
        refreshed: users all of whose vectors must go out.
        source_ms: newest Kafka timestamp behind a view, where it is known.
    """

    def __init__(
        self, users: StateUpdater, directory: IdDirectory, on_rebuilt: Callable[[int], None]
    ) -> None:
        self._users = users
        self._directory = directory
        self._main = users.slab
        self._on_rebuilt = on_rebuilt
        self._views: dict[int, dict[int, int]] = {}
        self._targets: dict[int, dict[int, int]] = {}
        self._owner: dict[int, int] = {}
        self._pending = PendingSteps()
        self._state_updater: StateUpdater | None = None
        self.changed: set[int] = set()
        self.refreshed: set[int] = set()
        self.source_ms: dict[int, int] = {}

    @property
    def slab(self) -> Slab:
        """The views' rows."""
        return self.state_updater.slab

    @property
    def state_updater(self) -> StateUpdater:
        """Advances the views."""
        if self._state_updater is None:
            main = self._main
            self._state_updater = self._users.beside(Slab(main.layout, main.bundle, FIRST_ROWS))
        return self._state_updater

    def __contains__(self, row: int) -> bool:
        return row in self._views

    def open(self, row: int) -> dict[int, int]:
        """The views of a user: set of sources → row of :attr:`slab`."""
        views = self._views.get(row)
        if views is None:
            views = self._views[row] = {}
            for sources, value in self._main.privacy[row].views:
                views[sources] = self._insert(row, value or None)
            self.settle(row)
        return self._views[row]

    def renew(self, row: int) -> None:
        """Compute a user's views again where another bundle made them."""
        if views := self.open(row):
            self.state_updater.renew(np.array(list(views.values()), np.int64))

    def touched(self) -> set[int]:
        """Users of whom something is stored or published because of their views."""
        changed = self._state_updater.changed if self._state_updater is not None else ()
        return self.changed | self.refreshed | {self._owner[view] for view in changed}

    def drop(self, row: int) -> None:
        """Views that no longer say anything: the user was erased, or is gone from memory."""
        for view in self._views.pop(row, {}).values():
            self.state_updater.changed.discard(view)
        self._targets.pop(row, None)
        self.changed.discard(row)
        self.refreshed.discard(row)

    def restrict(self, row: int, privacy: Privacy) -> None:
        """A user's wishes from here on: the views that were stored go on where they may."""
        self._main.privacy[row], self._main.special[row] = privacy, True
        self.open(row)
        self.settle(row)

    def settle(self, row: int) -> None:
        """Make the views those that the user's consent asks for.

        A set of sources that was there keeps its row. Another one that differs only by
        sources of which nothing was kept goes on from it. Any other is made of what the
        user's window holds of its sources, as if nothing had been before.
        """
        privacy, views = self._main.privacy[row], self._views[row]
        directory = self._directory
        targets = allowed_sources(privacy, directory.platforms, directory.targets)
        kept, before = union(targets.values()), self._kept(privacy)
        needed = set(targets.values()) - {0, kept}
        self._targets[row] = targets
        if kept != before or needed != views.keys():
            made = {sources: self._derived(row, sources, before, views) for sources in needed}
            if before & ~kept:
                self._replace(row, self._derived(row, kept, before, views))
            for sources, view in views.items():
                if made.get(sources) != view:
                    self.state_updater.changed.discard(view)
            self._views[row] = made
            self.changed.add(row)
            self.refreshed.add(row)
        privacy.kept = kept

    def _kept(self, privacy: Privacy) -> int:
        return privacy.kept & ((1 << len(self._directory.platforms)) - 1)

    def _derived(self, row: int, sources: int, before: int, views: dict[int, int]) -> int:
        """A view with a set of sources, from what there is; ``before``: what the user's row has."""
        if sources in views:
            return views[sources]
        old = sources & before
        new = self._insert(row, None)
        if old in views:
            self._copy(self.slab, views[old], self.slab, new)
        elif old == before:
            self._copy(self._main, row, self.slab, new)
            self.slab.rows["applied"][new] = -1
        else:
            self._filter(row, old, new)
        return new

    def _filter(self, row: int, sources: int, view: int) -> None:
        """The view of a user who has done nothing but what the window holds of some sources."""
        user: NDArray[Any] = self._main.rows[row]
        entries = of_sources(ring_entries(self._main.layout, user), sources)
        near_ms = int(user["base_ms"])
        catalogue = self._users.catalogue
        self.state_updater.advance(replay_steps(catalogue, view, entries, near_ms, counted=True))

    def _replace(self, row: int, view: int) -> None:
        """The user's own row holds what may no longer be used: another takes its place."""
        applied = self._main.rows["applied"][row]
        self._copy(self.slab, view, self._main, row)
        self._main.rows["applied"][row] = applied
        self._on_rebuilt(row)

    @staticmethod
    def _copy(source: Slab, old: int, target: Slab, new: int) -> None:
        target.rows[new] = source.rows[old]
        target.newest_ms[new] = source.newest_ms[old]

    def _insert(self, row: int, value: bytes | None) -> int:
        self.reserve()
        slab, key = self.slab, self._main.keys[row]
        view = slab.insert(f"{key}\0{len(slab)}", int(self._main.partitions[row]), value)
        slab.keys[view] = key
        self._owner[view] = row
        return view

    def reserve(self) -> None:
        """Make room for one more row."""
        if len(self.slab) == self.slab.capacity:
            self.slab.grow(2 * self.slab.capacity)

    def add(self, row: int, platform: int, pending: PendingSteps, source_ms: int) -> None:
        """The user's row takes a new event, the last of ``pending``: so do its views."""
        bit = 1 << platform
        for sources, view in self.open(row).items():
            if sources & bit:
                self._pending.repeat_last(pending, view)
                if source_ms > self.source_ms.get(view, 0):
                    self.source_ms[view] = source_ms

    def apply(self) -> None:
        """Advance the views by what was added."""
        if self._pending:
            self.state_updater.apply(self._pending.take())

    def close(self) -> None:
        """Put the views back into their users' stored values."""
        if self._state_updater is not None:
            self.changed.update(self._owner[view] for view in self._state_updater.changed)
        for row in self.changed & self._views.keys():
            privacy = self._main.privacy[row]
            privacy.views = tuple(
                (sources, self._value(view)) for sources, view in sorted(self._views[row].items())
            )
            self._main.set_privacy(row, privacy)

    def _value(self, view: int) -> bytes:
        return b"" if self.slab.newest_ms[view] == NEVER else self.slab.value(view)

    def backing(self, row: int, target: int) -> Backing:
        """What a target's vector of this user is made of."""
        sources = self._targets[row][target]
        if not sources:
            return Backing(None, 0, False)
        view = self._views[row].get(sources)
        if view is None:
            return Backing(self._main, row, False)
        changed = self._state_updater is not None and view in self._state_updater.changed
        return Backing(self.slab, view, changed)
