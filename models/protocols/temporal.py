"""The protocol ``temporal``: a split by time, against the whole catalogue."""

from __future__ import annotations

import numpy as np

from models.data.table import EventTable, Int64
from models.errors import ModelError
from models.protocols.cases import Cases, Split


def temporal(
    table: EventTable, seed: int = 0, train_share: float = 0.8, validation_share: float = 0.1
) -> Split:
    """Split by time; rank the full catalogue of the target, as a live service would.

    The first ``train_share`` of all events trains, the next ``validation_share`` validates,
    the rest tests; events of one time stay together. Every event of the later parts is a
    case, and its history is all that the user did at an earlier time, also after training
    ended: a state moves on while the model stays. ``seed`` isn't used.

    Raises:
        ModelError: the data has no times.
    """
    del seed
    if not len(table) or table.time_ms.min() == table.time_ms.max():
        raise ModelError("the events have no times; use a protocol other than temporal")
    cuts = np.quantile(table.time_ms, [train_share, train_share + validation_share], method="lower")
    begin = table.user_starts[table.user]
    earlier = _rows_earlier(table)
    cases = []
    for low, high in ((cuts[0], cuts[1]), (cuts[1], table.time_ms.max())):
        row = np.flatnonzero((table.time_ms > low) & (table.time_ms <= high))
        cases.append(Cases(row, begin[row], earlier[row], None))
    everything = np.ones(len(table), bool)
    return Split("temporal", table, table.time_ms <= cuts[0], cases[0], cases[1], everything)


def _rows_earlier(table: EventTable) -> Int64:
    """int64 [E]: for each row the end of its user's rows of strictly earlier time."""
    rows = np.arange(len(table))
    new = np.ones(len(table), bool)
    new[1:] = (table.user[1:] != table.user[:-1]) | (table.time_ms[1:] != table.time_ms[:-1])
    return np.maximum.accumulate(np.where(new, rows, 0))
