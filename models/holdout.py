"""What to train on where no protocol is asked for: everything but each user's last event."""

from __future__ import annotations

import numpy as np

from models.data.table import EventTable
from models.errors import DataError
from models.protocols import PROTOCOLS, Cases, Split

_LEAST: int = 3


def split_for(table: EventTable, protocol: str | None, seed: int) -> Split:
    """The protocol's split, or one that keeps nothing back for a test.

    Raises:
        DataError: the protocol isn't known, or too little is left to train or validate on.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        raise DataError(f"protocol {protocol!r} isn't known; use one of {', '.join(PROTOCOLS)}")
    split = last_out(table) if protocol is None else PROTOCOLS[protocol](table, seed)
    if not split.train.any() or not len(split.validation):
        raise DataError(
            f"{len(table)} events of {len(table.users)} users leave {int(split.train.sum())} to "
            f"train and {len(split.validation)} to validate on; give users of at least {_LEAST} "
            "events"
        )
    return split


def last_out(table: EventTable) -> Split:
    """Each user's last event validates, against the full catalogue; the rest trains."""
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
        validation=Cases(last, starts[:-1][long], last, None),
        test=Cases(none, none, none, None),
    )
