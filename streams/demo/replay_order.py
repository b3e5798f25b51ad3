"""Cut a replay into rounds, so that each user's events arrive in order across topics.

Kafka orders the records of one partition only. At full speed a user's purchase on one platform
may be read long before the click on another that came first, and a comparison with an offline
figure would measure that. In one round a user's events are all on one topic, so in one partition;
a round begins when the one before it has been applied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from models.data.table import EventTable

Int64 = NDArray[np.int64]


def rounds_of(table: EventTable, rows: Int64) -> list[Int64]:
    """Rows of each round, in order of event time.

    Args:
        table: the events.
        rows: int64 [n], ascending rows to send (users together, each user's in order).

    Returns:
        At least one round for rows that aren't empty; every row is in exactly one.
    """
    if not len(rows):
        return []
    topic = table.platform[rows].astype(np.int64) * len(ACTIONS) + table.action[rows]
    user = table.user[rows]
    new_user = np.ones(len(rows), np.bool_)
    new_user[1:] = user[1:] != user[:-1]
    turn = np.zeros(len(rows), np.int64)
    turn[1:] = topic[1:] != topic[:-1]
    turn[new_user] = 0
    total = np.cumsum(turn)
    round_ = total - total[np.flatnonzero(new_user)][np.cumsum(new_user) - 1]
    order = np.lexsort((rows, table.time_ms[rows], round_))
    bounds = np.searchsorted(round_[order], np.arange(1, int(round_.max()) + 1))
    return np.split(rows[order], bounds)
