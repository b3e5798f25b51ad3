"""What to train on where no protocol is asked for: everything but each user's last event."""

from __future__ import annotations

import numpy as np

from models.data.table import EventTable, Int32, Int64
from models.errors import DataError
from models.protocols.protocols import NEGATIVES, PROTOCOLS, Cases, Split, draw_without

_LEAST: int = 3


def split_for(table: EventTable, protocol: str | None, seed: int) -> Split:
    """The protocol's split, or one that keeps nothing back for a test.

    Raises:
        DataError: the protocol isn't known, or too little is left to train or validate on.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        raise DataError(f"protocol {protocol!r} isn't known; use one of {', '.join(PROTOCOLS)}")
    split = last_out(table, seed) if protocol is None else PROTOCOLS[protocol](table, seed)
    if not split.train.any() or not len(split.validation):
        raise DataError(
            f"{len(table)} events of {len(table.users)} users leave {int(split.train.sum())} to "
            f"train and {len(split.validation)} to validate on; give users of at least {_LEAST} "
            "events"
        )
    return split


def last_out(table: EventTable, seed: int = 0) -> Split:
    """Each user's last event validates; the rest trains.

    Candidates are 999 random items of the target (all of a small catalogue), also those that
    the user has met before: a live service shows them again.
    """
    starts = table.user_starts
    long = np.diff(starts) >= _LEAST
    last = starts[1:][long] - 1
    train = np.ones(len(table), bool)
    train[last] = False
    none = np.zeros(0, np.int64)
    return Split(
        protocol="none",
        table=table,
        train=train,
        validation=Cases(last, starts[:-1][long], last, _candidates(table, last, seed)),
        test=Cases(none, none, none, None),
    )


def _candidates(table: EventTable, row: Int64, seed: int) -> Int32:
    """int32 [n, 1 + 999]: the event's item, then random others (-1 where there are none)."""
    rng = np.random.default_rng(seed)
    drawn = np.full((len(row), NEGATIVES + 1), -1, np.int32)
    for at, (target, item) in enumerate(zip(table.platform[row], table.item[row], strict=True)):
        found = draw_without(rng, len(table.items[target]), np.array([item]), NEGATIVES)
        drawn[at, 1 : 1 + len(found)] = found
    drawn[:, 0] = table.item[row]
    return drawn
