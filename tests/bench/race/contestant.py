"""What a contestant is, and where its run happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.log.records import Event
from tests.bench.race.traffic import Traffic


@dataclass(frozen=True)
class Place:
    """Where a contestant runs.

    Attributes:
        bootstrap: the broker.
        name: of this run: consumer group and prefix of its topics.
        partitions: partitions of each of its topics.
        model: folder of the peers' graph.
        bundle: folder of our bundle.
        folder: for its files.
    """

    bootstrap: str
    name: str
    partitions: int
    model: Path
    bundle: Path
    folder: Path

    @property
    def events(self) -> str:
        """Topic of the log."""
        return f"{self.name}.events"


@dataclass(frozen=True)
class Seen:
    """A vector message.

    Attributes:
        user: user id.
        events: number of events behind it.
        state: the interest vector, which is the state.
    """

    user: str
    events: int
    state: bytes


@dataclass(frozen=True)
class Contestant:
    """One way to do the job.

    Attributes:
        name: short name, as in ``--only``.
        title: for the table.
        command: makes the command line; writes what it needs into the place's folder.
        vectors: topic of the vectors, by run.
        changelog: topic of the stored rows; None where the library keeps them elsewhere.
        read_vector: a vector message from its value.
        read_row: events and item rows (or hashes) of the window, from a stored value.
        topics: topics that must be there before it starts, beside the log.
        read_key: a user's key, from that of a stored value.
        share: part of the events that it gets, so that slow ones end too.
        settle_s: seconds after the last vector until everything is stored and committed.
        of_items: what ``read_row`` says of an item, from its id and row.
        encode: an event's record; peers read MessagePack.
    """

    name: str
    title: str
    command: Callable[[Place], list[str]]
    vectors: Callable[[Place], str]
    changelog: Callable[[Place], str | None]
    read_vector: Callable[[bytes], Seen]
    read_row: Callable[[bytes], tuple[int, NDArray[np.int64]] | None]
    topics: Callable[[Place], list[str]] = field(default=lambda place: [])
    read_key: Callable[[bytes], bytes] = field(default=lambda key: key)
    share: float = 1.0
    settle_s: float = 1.2
    of_items: Callable[[str, int], int] = field(default=lambda name, row: row)
    encode: Callable[[Event], bytes] = msgspec.msgpack.Encoder().encode

    def records(self, place: Place, traffic: Traffic, items: Sequence[str]) -> list[bytes]:
        """The log's records of all events, in the form that it reads."""
        return traffic.records(f"{place.name}.source", 0, len(traffic), items, self.encode)
