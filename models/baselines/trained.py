"""Other networks as methods: trained like the served one, ranked from the whole history."""

from __future__ import annotations

import numpy as np

from models.baselines.base import Float32
from models.config import preset
from models.items.scoring import score_fresh
from models.items.trend import trend_of
from models.protocols.cases import Cases, Split


class TrainedReference:
    """A network with another cell (``models.recurrence.references``), trained in ``fit``.

    Training takes minutes, so a table of all methods with it isn't for in between. It has the
    default's settings, also where a study trains ours with others (``--set``, ``--epochs``).
    """

    def __init__(self, cell: str) -> None:
        self._cell = cell

    def fit(self, split: Split, seed: int) -> None:
        """Train on ``split.train``; the epoch is chosen on validation."""
        from models.training.fit import fit  # torch only where it is needed
        from models.training.infer import output_vectors

        chosen = preset("base", seed=seed, cell=self._cell)
        self._network = fit(split, chosen.model, chosen.train).network
        self._split, self._length = split, chosen.train.length
        self._trend = trend_of(split, self._network.config.trend_days)
        platforms = range(len(split.table.platforms))
        self._out = [output_vectors(self._network, split.table, p) for p in platforms]

    def scores(self, cases: Cases, target: int) -> Float32:
        """Dot products of interests and items, as for a bundle."""
        from models.training.infer import interests

        vectors = np.asarray(interests(self._network, self._split.table, cases, self._length))
        table = self._split.table
        return score_fresh(vectors, self._out[target], self._trend, target, table, cases)
