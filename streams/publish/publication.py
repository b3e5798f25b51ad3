"""Which vectors a batch publishes, and which it takes back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.effects.effects import Effects, Tombstone, VectorBatch
from streams.identity.directory import IdDirectory, Recipient
from streams.identity.views import Views
from streams.inference.state_updater import StateUpdater
from streams.log.keys import USER
from streams.publish.unusable_vectors import only_finite
from streams.publish.vectors import Addressees, MigrateModel, make_vectors
from streams.windows.slab import NEVER


class Publication:
    """Collects a batch's users, then makes their vectors.

    Args:
        users: has the users' rows, and which of them events changed.
        views: rows of users who don't allow everything.
        directory: who gets whose vectors.
        model: the migrate graph.
        effects: takes vectors, tombstones and dead letters.
    """

    def __init__(
        self,
        users: StateUpdater,
        views: Views,
        directory: IdDirectory,
        model: MigrateModel,
        effects: Effects,
    ) -> None:
        self._slab, self._changed = users.slab, users.changed
        self._views = views
        self._directory = directory
        self._model = model
        self._effects = effects
        self._to_users, self._to_views = Addressees(), Addressees()

    def add_all(self, rows: Sequence[int], republish: Collection[int]) -> None:
        """Users who changed, or whose vectors may not have gone out (``republish``).

        Nearly all of them are users with a history, without linked ids and without wishes:
        these have the same recipients, under the same id.
        """
        slab, views, linked = self._slab, self._views, self._slab.local_ids
        known = (slab.newest_ms[np.array(rows, np.int64)] != NEVER).tolist()
        plain, others, users = list[int](), list[int](), list[str]()
        for row, has_history in zip(rows, known, strict=True):
            key = slab.keys[row] or ""
            if has_history and key.startswith(USER) and row not in linked and row not in views:
                plain.append(row)
                users.append(key[len(USER) :])
            else:
                others.append(row)
        self._to_users.rows = plain * len(self._directory.shared)
        for target in self._directory.shared:
            self._to_users.targets += [target] * len(users)
            self._to_users.ids += users
        for row in others:
            self.add(row, republish=row in republish)

    def add(self, row: int, *, republish: bool) -> None:
        """A user of any kind."""
        slab, directory = self._slab, self._directory
        key = slab.keys[row]
        assert key is not None
        found = directory.of(key, slab.local_ids.get(row, ()))
        if row in self._views:
            self._add_restricted(row, found, everything=republish or row in self._views.refreshed)
        elif slab.newest_ms[row] == NEVER:
            self._take_back(row, [r for r in found if not directory.shares(r.target)])
        else:
            self._to_users.add(row, found)

    def _add_restricted(
        self, row: int, recipients: Sequence[Recipient], *, everything: bool
    ) -> None:
        """Each target's vector from the row of its sources, where that row changed."""
        for recipient in recipients:
            slab, number, changed = self._views.backing(row, recipient.target)
            own = slab is self._slab
            if not (everything or changed or (own and row in self._changed)):
                continue
            if slab is None or slab.newest_ms[number] == NEVER:
                self._take_back(row, [recipient])
                continue
            (self._to_users if own else self._to_views).add(number, [recipient])

    def _take_back(self, row: int, recipients: Sequence[Recipient]) -> None:
        """Ids without a history (any more): an earlier vector may still stand there."""
        partition = int(self._slab.partitions[row])
        self._effects.tombstones += [Tombstone(r.target, r.id, partition) for r in recipients]

    def finish(self, source_ms: NDArray[np.int64]) -> None:
        """Make the vectors; ``source_ms`` is of the users' own rows, int64 [capacity]."""
        parts, times = [], self._effects.migrations
        if self._to_users.rows:
            parts.append(make_vectors(self._slab, self._model, self._to_users, source_ms, times))
        if self._to_views.rows:
            slab = self._views.slab
            of_views = np.zeros(slab.capacity, np.int64)
            of_views[list(self._views.source_ms)] = list(self._views.source_ms.values())
            parts.append(make_vectors(slab, self._model, self._to_views, of_views, times))
        self._effects.vectors = only_finite(
            VectorBatch.concat(parts), self._directory.platforms, self._effects.refused
        )
