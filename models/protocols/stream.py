"""The protocol ``stream``: as one serves, event after event, among the items that exist by then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.data.table import EventTable
from models.protocols.cases import Cases, Split
from models.protocols.temporal import temporal


def stream(
    table: EventTable, seed: int = 0, train_share: float = 0.8, validation_share: float = 0.1
) -> Split:
    """The split of :func:`~models.protocols.temporal.temporal`, its cases in order of time.

    An item exists from its first event on; the ranked event's own item exists at it. Everything
    may be counted at a later case, so baselines live on (``models.baselines.live``).

    Raises:
        ModelError: the data has no times.
    """
    split = temporal(table, seed, train_share, validation_share)
    appeared = np.full(int(table.item_offsets[-1]), np.iinfo(np.int64).max)
    np.minimum.at(appeared, table.global_item, table.time_ms)

    def in_time(cases: Cases) -> Cases:
        order = np.argsort(table.time_ms[cases.row], kind="stable")
        return replace(cases.select(order), appeared_ms=appeared)

    validation, test = in_time(split.validation), in_time(split.test)
    return replace(split, protocol="stream", validation=validation, test=test)
