"""Ranks cases by a bundle's vectors: the active one's, or a shadow's.

A shadow's states are made of the windows in the cases' rows. What a user has had before isn't
taken out of the ranking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.effects.effects import CallTimes, Counts
from streams.inference.state_updater import StateUpdater
from streams.quality.cases import Cases
from streams.quality.ranking import Candidates, Float64, RankedItems
from streams.update.context import Model
from streams.windows.layout import Layout, ring_entries
from streams.windows.rewind import replay_steps
from streams.windows.slab import Slab
from streams.windows.step_columns import StepColumns

TOP: Final = 10
"""HR@10: a hit is one of the first ten."""


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
        ids = self._items[self.catalogue.platforms[platform]].id_list
        return ((row, ids[row]) for row in self.candidates[platform].rows.tolist())

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
        rows = [slab.insert(f"{number}", 0, None) for number in range(len(cases))]
        parts = []
        for number, row in zip(rows, cases.rows, strict=True):
            entries, near = ring_entries(layout, row), int(row["base_ms"])
            parts.append(replay_steps(self.catalogue, number, entries, near, counted=True))
        if parts:
            steps = StepColumns.concat(parts)
            state_updater.advance(steps.take(np.argsort(steps.row, kind="stable")))
        states: NDArray[np.float16] = slab.rows["current"][rows]
        return states
