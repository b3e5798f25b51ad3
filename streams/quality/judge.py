"""How good vectors are while they are served: where the item of the next event ranks.

Before a user's events of a batch are applied, a sample of them is put aside with the user's row
as it was (:class:`Sampler`): what was known of the user when the event came. Later, off the hot
path, :class:`Judge` asks where the event's item ranks among the items of its platform under the
vector of that row. The same cases are ranked by popularity, and may be by another bundle (a
shadow), whose states are made of the windows in the rows.

A case is the first event of its user in a batch: its user's history isn't empty, its item is one
of the bundle's, its action isn't a refund. What a user has had before isn't taken out of the
ranking. Items: all of the platform, or of a large one a fixed sample and the item itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.effects.effects import CallTimes, Counts
from streams.inference.state_updater import StateUpdater
from streams.log.keys import stable_hash
from streams.update.context import Model
from streams.windows.rewind import replay_steps
from streams.windows.slab import NEVER, Slab
from streams.windows.step_columns import Groups, StepColumns
from streams.windows.stored_value import Layout, ring_entries

TOP: Final = 10
"""HR@10: a hit is one of the first ten."""
CASES_KEPT: Final = 512
"""Cases that wait to be judged; further ones are dropped, and counted."""
LOW_BITS: Final = 1 << 20
HEAVY: Final = 1e100
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class RankedItems(Protocol):
    """What ranking has to know of a bundle's item table."""

    @property
    def id_list(self) -> Sequence[str]:
        """N item ids."""

    @property
    def vectors_out(self) -> NDArray[np.float16]:
        """Output vectors [N, V]."""


@dataclass(slots=True)
class Cases:
    """Events put aside before they were applied (columns [n]).

    Attributes:
        platform: platform index of the event.
        hash40: 40-bit hash of the event's item.
        rows: the user's row before the event, of the active bundle's layout.
        popular: rank of the item by popularity then, 1 for the first.
    """

    platform: Int64
    hash40: Int64
    rows: NDArray[Any]
    popular: Float64

    def __len__(self) -> int:
        return len(self.platform)

    def take(self, where: slice | NDArray[Any]) -> Cases:
        """Some of the cases."""
        return Cases(
            self.platform[where], self.hash40[where], self.rows[where], self.popular[where]
        )


class Candidates:
    """The items of one platform that an item is ranked among.

    Args:
        items: the platform's items.
        limit: how many at the most; of more, those with the smallest hashes.

    Attributes:
        rows: their rows [n], ascending.
    """

    def __init__(self, items: RankedItems, limit: int) -> None:
        ids = items.id_list
        self.rows: Int64 = np.arange(len(ids))
        if len(ids) > limit:
            hashes = np.array([stable_hash(item) for item in ids], np.uint64)
            self.rows = np.sort(np.argpartition(hashes, limit)[:limit])
        self._out = items.vectors_out
        self._vectors = np.ascontiguousarray(self._out[self.rows], np.float32)

    def ranks(self, vectors: NDArray[np.float32], items: Int64) -> Float64:
        """Rank of each item [n] under its vector [n, V]; ties count half."""
        own = np.einsum("nv,nv->n", vectors, self._out[items].astype(np.float32))
        return rank_of(vectors @ self._vectors.T, own, self.rows == items[:, None])


def rank_of(scores: NDArray[Any], own: NDArray[Any], itself: NDArray[np.bool_]) -> Float64:
    """Rank of a score [n] among others [n, m], without the item itself; ties count half."""
    above = ((scores > own[:, None]) & ~itself).sum(axis=1)
    tied = ((scores == own[:, None]) & ~itself).sum(axis=1)
    ranks: Float64 = 1.0 + above + tied / 2.0
    return ranks


class Popularity:
    """How often each item occurred lately: counts that fade with every event of the platform.

    Args:
        sizes: items of each platform.
        half_life: events of a platform after which one counts half.
    """

    def __init__(self, sizes: Sequence[int], half_life: float) -> None:
        self._counts = [np.zeros(size) for size in sizes]
        self._weight = [1.0] * len(sizes)
        self._half_life = half_life

    def count(self, platform: Int64, items: Int64) -> None:
        """Events [n] in order; items that the bundle doesn't have are left out."""
        for number, counts in enumerate(self._counts):
            of_platform = items[platform == number]
            of_platform = of_platform[of_platform < len(counts)]
            if not len(of_platform):
                continue
            np.add.at(counts, of_platform, self._weight[number])
            self._weight[number] *= 2.0 ** (len(of_platform) / self._half_life)
            if self._weight[number] > HEAVY:
                counts /= self._weight[number]
                self._weight[number] = 1.0

    def rank(self, platform: int, item: int, among: Int64) -> float:
        """Rank of an item among others (rows), without itself."""
        counts = self._counts[platform]
        own = np.array([counts[item]])
        return float(rank_of(counts[among][None], own, (among == item)[None])[0])

    def carry(self, platform: int, rows: Int64, before: Popularity, old: Int64) -> None:
        """Begin with what another bundle's counts (rows ``old``) say of the same items."""
        counts, weight = before._counts[platform], before._weight[platform]
        self._counts[platform][rows] = counts[old] / weight


class Judge:
    """Ranks cases by a bundle's vectors.

    Args:
        bundle: id of the bundle.
        model: its graphs.
        catalogue: its items.
        items: platform → its items' output vectors.
        layout: layout of its rows.
        candidates: items that one is ranked among, at the most.
        horizon_ms: length of the window in event time.
    """

    def __init__(
        self,
        bundle: str,
        model: Model,
        catalogue: Catalogue,
        items: Mapping[str, RankedItems],
        layout: Layout,
        *,
        candidates: int,
        horizon_ms: int,
    ) -> None:
        self.bundle = bundle
        self.catalogue = catalogue
        self.candidates = [Candidates(items[name], candidates) for name in catalogue.platforms]
        self._items = items
        self._model = model
        self._layout = layout
        self._horizon_ms = horizon_ms

    def ids(self, platform: int) -> Iterator[tuple[int, str]]:
        """Rows and ids of the items of a platform that others are ranked among."""
        names = self._items[self.catalogue.platforms[platform]].id_list
        return ((row, names[row]) for row in self.candidates[platform].rows.tolist())

    def ranks(self, cases: Cases, states: NDArray[np.float16]) -> Float64:
        """Rank of each case's item [n]; NaN where the bundle doesn't have it.

        Args:
            cases: the cases.
            states: [n, S] states before them.
        """
        found = np.full(len(cases), np.nan)
        interests = self._model.migrate(states)
        for number, candidates in enumerate(self.candidates):
            items = self.catalogue.items[number]
            mine = np.flatnonzero(cases.platform == number)
            rows = np.array([items.index_of_hash(h) for h in cases.hash40[mine].tolist()], np.int64)
            known = rows < items.unknown_index
            if known.any():
                vectors = interests[mine[known], number]
                found[mine[known]] = candidates.ranks(vectors, rows[known])
        return found

    def states_from_windows(self, cases: Cases, layout: Layout) -> NDArray[np.float16]:
        """States of this bundle [n, S], computed from the windows in the cases' rows.

        Args:
            cases: the cases.
            layout: layout of their rows, another bundle's.
        """
        slab = Slab(self._layout, 1, max(1, len(cases)))
        state_updater = StateUpdater(
            slab, self.catalogue, self._model, self._horizon_ms, Counts(), CallTimes()
        )
        places = [slab.insert(f"{number}", 0, None) for number in range(len(cases))]
        parts = []
        for of, row in zip(places, cases.rows, strict=True):
            entries, near = ring_entries(layout, row), int(row["base_ms"])
            parts.append(replay_steps(self.catalogue, of, entries, near, counted=True))
        if parts:
            steps = StepColumns.concat(parts)
            state_updater.advance(steps.take(np.argsort(steps.row, kind="stable")))
        states: NDArray[np.float16] = slab.rows["current"][places]
        return states


class Sampler:
    """Puts cases aside while batches are applied; see ``StateUpdater.observer``.

    Args:
        judge: of the active bundle.
        rate: share of events that are looked at.
        refund: index of the action that says nothing about what a user likes.
        popularity: counts so far.

    Attributes:
        dropped: cases that nobody judged in time.
    """

    def __init__(self, judge: Judge, rate: float, refund: int, popularity: Popularity) -> None:
        self.judge = judge
        self.popularity = popularity
        self._threshold = round(rate * LOW_BITS)
        self._refund = refund
        self._waiting: list[Cases] = []
        self._count = 0
        self.dropped = 0

    def see(self, slab: Slab, steps: StepColumns, groups: Groups) -> None:
        """Steps that are about to be taken, sorted by user."""
        first = groups.start[steps.counted[groups.start]]
        chosen = first[(steps.event[first] & (LOW_BITS - 1)) < self._threshold]
        if len(chosen):
            self._put_aside(slab, steps, chosen)
        counted = np.flatnonzero(steps.counted)
        if len(counted):
            self.popularity.count(steps.platform[counted], steps.item[counted])

    def _put_aside(self, slab: Slab, steps: StepColumns, chosen: Int64) -> None:
        known = slab.newest_ms[steps.row[chosen]] != NEVER
        known &= steps.action[chosen] != self._refund
        items = self.judge.catalogue.items
        of_bundle = [
            item < items[platform].unknown_index
            for platform, item in zip(
                steps.platform[chosen].tolist(), steps.item[chosen].tolist(), strict=True
            )
        ]
        chosen = chosen[known & np.array(of_bundle, np.bool_)]
        room = CASES_KEPT - self._count
        self.dropped += max(0, len(chosen) - room)
        chosen = chosen[: max(0, room)]
        if not len(chosen):
            return
        platform, item = steps.platform[chosen], steps.item[chosen]
        popular = [
            self.popularity.rank(p, i, self.judge.candidates[p].rows)
            for p, i in zip(platform.tolist(), item.tolist(), strict=True)
        ]
        rows = slab.rows[steps.row[chosen]]
        self._waiting.append(Cases(platform, steps.hash40[chosen], rows, np.array(popular)))
        self._count += len(chosen)

    def take(self) -> list[Cases]:
        """The cases since the last call."""
        waiting, self._waiting, self._count = self._waiting, [], 0
        return waiting
