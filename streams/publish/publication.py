"""Which vectors a batch publishes, and which it takes back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.effects.effects import Effects, Tombstone, VectorBatch
from streams.identity.directory import Recipient
from streams.identity.views import SourceSets
from streams.log.keys import USER
from streams.publish.vectors import make_vectors
from streams.update.context import UpdateContext
from streams.update.damage import unusable_vector
from streams.windows.slab import NEVER, Slab

FLOAT16_MAX: Final = float(np.finfo(np.float16).max)


@dataclass(slots=True)
class Rows:
    """Rows of one slab and who gets their vectors, as columns of equal length.

    Attributes:
        rows: slab row.
        targets: platform index.
        ids: the id that the target knows.
    """

    rows: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def add(self, row: int, recipients: Sequence[Recipient]) -> None:
        """One row for some recipients."""
        for target, id in recipients:
            self.rows.append(row)
            self.targets.append(target)
            self.ids.append(id)


class Publication:
    """Collects a batch's users, then makes their vectors.

    Args:
        world: what outlives the batch.
        sets: the views of users who don't allow everything.
        stepped: rows that events changed.
        effects: takes vectors and tombstones.
    """

    def __init__(
        self, context: UpdateContext, sets: SourceSets, stepped: set[int], effects: Effects
    ) -> None:
        self._context = context
        self._slab: Final = context.slab
        self._sets = sets
        self._stepped = stepped
        self._effects = effects
        self._users, self._views = Rows(), Rows()

    def add_all(self, rows: Sequence[int], again: Collection[int]) -> None:
        """Users who changed, or whose vectors may not have gone out (``again``).

        Nearly all of them are users with a history, without linked ids and without wishes:
        these have the same recipients, under the same id.
        """
        slab, sets, linked = self._slab, self._sets, self._slab.local_ids
        known = (slab.newest_ms[np.array(rows, np.int64)] != NEVER).tolist()
        plain, others, users = list[int](), list[int](), list[str]()
        for row, has_history in zip(rows, known, strict=True):
            key = slab.keys[row] or ""
            if has_history and key.startswith(USER) and row not in linked and row not in sets:
                plain.append(row)
                users.append(key[len(USER) :])
            else:
                others.append(row)
        self._users.rows = plain * len(self._context.directory.shared)
        for target in self._context.directory.shared:
            self._users.targets += [target] * len(users)
            self._users.ids += users
        for row in others:
            self.add(row, again=row in again)

    def add(self, row: int, *, again: bool) -> None:
        """A user of any kind."""
        slab, directory = self._slab, self._context.directory
        key = slab.keys[row]
        assert key is not None
        found = directory.of(key, slab.local_ids.get(row, ()))
        if row in self._sets:
            self._add_special(row, found, everything=again or row in self._sets.refreshed)
        elif slab.newest_ms[row] == NEVER:
            self._take_back(row, [r for r in found if not directory.shares(r.target)])
        else:
            self._users.add(row, found)

    def _add_special(self, row: int, recipients: Sequence[Recipient], *, everything: bool) -> None:
        """Each target's vector from the row of its sources, where that row changed."""
        for recipient in recipients:
            slab, place, changed = self._sets.backing(row, recipient.target)
            own = slab is self._slab
            if not (everything or changed or (own and row in self._stepped)):
                continue
            if slab is None or slab.newest_ms[place] == NEVER:
                self._take_back(row, [recipient])
                continue
            (self._users if own else self._views).add(place, [recipient])

    def _take_back(self, row: int, recipients: Sequence[Recipient]) -> None:
        """Ids without a history (any more): an earlier vector may still stand there."""
        partition = int(self._slab.partitions[row])
        self._effects.tombstones += [Tombstone(r.target, r.id, partition) for r in recipients]

    def finish(self, source_ms: NDArray[np.int64]) -> None:
        """Make the vectors; ``source_ms`` is of the users' own rows."""
        parts = []
        if self._users.rows:
            users = np.array(self._users.rows)
            parts.append(self._vectors(self._slab, users, self._users, source_ms[users]))
        if self._views.rows:
            views, known = np.array(self._views.rows), self._sets.source_ms
            of_views = np.array([known.get(view, 0) for view in self._views.rows], np.int64)
            parts.append(self._vectors(self._sets.slab, views, self._views, of_views))
        self._effects.vectors = self._finite(VectorBatch.concat(parts))

    def _finite(self, vectors: VectorBatch | None) -> VectorBatch | None:
        """Those that float16 can say; the others' ids keep the vectors that they have."""
        if vectors is None:
            return None
        # A NaN is at most nothing.
        good: NDArray[np.bool_] = np.all(np.abs(vectors.vectors) <= FLOAT16_MAX, axis=1)
        if good.all():
            return vectors
        platforms = self._context.catalogue.platforms
        for i in np.flatnonzero(~good).tolist():
            target = platforms[vectors.targets[i]]
            letter = unusable_vector(int(vectors.partitions[i]), target, vectors.ids[i])
            self._effects.refused.append(letter)
        return vectors.only(good) if good.any() else None

    def _vectors(
        self, slab: Slab, rows: NDArray[np.int64], of: Rows, source_ms: NDArray[np.int64]
    ) -> VectorBatch:
        model, times = self._context.model, self._effects.migrations
        return make_vectors(slab, model, rows, of.targets, of.ids, source_ms, times)
