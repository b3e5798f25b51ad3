"""The protocol ``abxi``: each user's last event is the test, the one before it validates."""

from __future__ import annotations

import numpy as np

from models.data.table import EventTable
from models.protocols.candidates import NEGATIVES, draw_candidates
from models.protocols.cases import Cases, Split


def abxi(table: EventTable, seed: int = 0, negatives: int = NEGATIVES) -> Split:
    """Leave-one-out on the merged sequence, as ABXI (WWW 2025) is measured.

    A user's last event is the test, the one before it the validation; the history is
    everything earlier. Candidates: ``negatives`` items drawn uniformly, each once, from the
    target platform without any item of the user. Users with fewer than three events only
    train.
    """
    starts = table.user_starts
    long = np.diff(starts) >= 3
    first, last = starts[:-1][long], starts[1:][long] - 1
    train = np.ones(len(table), bool)
    train[last] = train[last - 1] = False
    every = np.ones(len(table), bool)
    rng = np.random.default_rng(seed)
    cases = []
    for row in (last - 1, last):
        candidates = draw_candidates(table, row, every, rng, negatives)
        cases.append(Cases(row, first, row, candidates))
    return Split("abxi", table, train, cases[0], cases[1])
