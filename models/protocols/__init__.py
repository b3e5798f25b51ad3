"""Which events train, which are ranked, and against which candidates; a file for each protocol.

In: an event table; out: a ``models.protocols.cases.Split``. A new protocol is a function of a
table and a seed, and a line in ``PROTOCOLS``. Imports ``models.data``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from models.data.table import EventTable
from models.errors import DataError
from models.protocols.abxi import abxi
from models.protocols.cases import Cases, Split
from models.protocols.cdrib import cdrib
from models.protocols.holdout import LEAST, last_out
from models.protocols.stream import stream
from models.protocols.temporal import temporal

__all__ = [
    "PROTOCOLS",
    "Cases",
    "Split",
    "abxi",
    "cdrib",
    "default_protocol",
    "last_out",
    "split_for",
    "stream",
    "temporal",
]

PROTOCOLS: Final[dict[str, Callable[[EventTable, int], Split]]] = {
    "abxi": abxi,
    "cdrib": cdrib,
    "stream": stream,
    "temporal": temporal,
}


def default_protocol(table: EventTable) -> str:
    """``cdrib`` where the data prescribes its split, otherwise ``abxi``."""
    return "abxi" if table.part is None else "cdrib"


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
            f"train and {len(split.validation)} to validate on; give users of at least {LEAST} "
            "events"
        )
    return split
