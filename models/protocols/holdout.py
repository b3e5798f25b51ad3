"""What to train on where no protocol is asked for: everything but each user's last event."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.data.table import EventTable
from models.protocols.candidates import draw_candidates
from models.protocols.cases import Cases, Split

# Events of a user whose last one validates.
LEAST: Final = 3


def last_out(table: EventTable, seed: int = 0) -> Split:
    """Each user's last event validates; the rest trains.

    Candidates are 999 random items of the target (all of a small catalogue), also those that
    the user has met before: a live service shows them again.
    """
    starts = table.user_starts
    long = np.diff(starts) >= LEAST
    last = starts[1:][long] - 1
    train = np.ones(len(table), bool)
    train[last] = False
    none, nothing = np.zeros(0, np.int64), np.zeros(len(table), bool)
    candidates = draw_candidates(table, last, nothing, np.random.default_rng(seed))
    return Split(
        protocol="none",
        table=table,
        train=train,
        validation=Cases(last, starts[:-1][long], last, candidates),
        test=Cases(none, none, none, None),
    )
