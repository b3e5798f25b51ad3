"""What processing a batch wants done; data only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.log.records import LogRecord


@dataclass(slots=True)
class LogBatch:
    """Records of one log partition, in offset order.

    Attributes:
        partition: partition of the log.
        offsets: offset of each record.
        keys: key bytes of each record (None where the producer gave none).
        values: value bytes of each record.
    """

    partition: int
    offsets: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]


@dataclass(slots=True)
class CallTimes:
    """Users and seconds of each ONNX call of one graph."""

    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, size: int, seconds: float) -> None:
        """One more call."""
        self.sizes.append(size)
        self.seconds.append(seconds)


@dataclass(slots=True)
class VectorBatch:
    """Vectors to publish, one row per (user, target); columns of equal length.

    Attributes:
        targets: platform index of each target.
        ids: the id that the target knows.
        users: canonical user id; of a provisional user the id again.
        vectors: float32 [n, V].
        as_of_ms: event time of the newest event behind the vector, int64 [n].
        events: number of events behind it, int64 [n].
        shares: share of each source platform in them, float32 [n, P], rows sum to 1.
        source_ms: Kafka timestamp of the newest source record behind it (0: unknown).
        partitions: log partition of each user, int32 [n]; its owner alone may publish them.
    """

    targets: list[int]
    ids: list[str]
    users: list[str]
    vectors: NDArray[np.float32]
    as_of_ms: NDArray[np.int64]
    events: NDArray[np.int64]
    shares: NDArray[np.float32]
    source_ms: NDArray[np.int64]
    partitions: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def concat(cls, parts: Sequence[VectorBatch]) -> VectorBatch | None:
        """Several batches, one after the other; None where there are none."""
        if len(parts) < 2:
            return parts[0] if parts else None
        columns: list[Any] = [
            list(chain(*of)) if isinstance(of[0], list) else np.concatenate(of)
            for of in zip(*(part._columns() for part in parts), strict=True)
        ]
        return cls(*columns)

    def only(self, wanted: NDArray[np.bool_]) -> VectorBatch:
        """The rows that are wanted [n]."""
        rows = np.flatnonzero(wanted).tolist()
        columns: list[Any] = [
            [of[i] for i in rows] if isinstance(of, list) else of[wanted] for of in self._columns()
        ]
        return VectorBatch(*columns)

    def _columns(self) -> list[Any]:
        return [getattr(self, column.name) for column in fields(self)]


class Tombstone(NamedTuple):
    """A vector that must go.

    Attributes:
        target: platform index.
        id: the id that the target knows.
        partition: log partition of the user; its owner alone may take the vector back.
    """

    target: int
    id: str
    partition: int


class Erased(NamedTuple):
    """An id of which the dead letters must hold nothing any more.

    Attributes:
        platform: whose id it is; empty for a user's, which any platform may have sent.
        id: the id.
    """

    platform: str
    id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A log record that can't be used, for the dead letters."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str
    field: str
    problem: str
    remedy: str


@dataclass(slots=True)
class Counts:
    """What happened, for the metrics.

    Attributes:
        applied: events that advanced a state, by (platform index, action index).
        skipped: events that didn't, by reason.
        unknown_items: events of items that no catalogue knew, by platform index.
        users: users whose state changed.
        renewed: users whose state another bundle had made, computed again from the window.
    """

    applied: Counter[tuple[int, int]] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    unknown_items: Counter[int] = field(default_factory=Counter)
    identity: Counter[str] = field(default_factory=Counter)
    users: int = 0
    renewed: int = 0


@dataclass(slots=True)
class Effects:
    """Everything that must be acknowledged before the batch may be committed.

    Attributes:
        declared: table entries per log partition that must be in the changelog before anything
            else of the batch leaves: which bundle computes from here on.
        changelog: table entries per log partition, in order; None deletes. A partition's
            marks come last: where they are in the changelog, everything before them is too.
        forwards: records for other keys of the log, in order.
        vectors: vectors to publish; None where there are none.
        tombstones: vectors that must go.
        refused: log records that can't be used.
        erased: ids that are to be taken out of the dead letters.
        counts: what happened.
        steps: calls of the step graph.
        migrations: calls of the migrate graph.
        renewal: no records of the log are behind it, so a crash doesn't bring it again: the
            vectors must be out before the changelog says that their users are dealt with.
    """

    declared: dict[int, list[tuple[str, bytes | None]]] = field(default_factory=dict)
    changelog: dict[int, list[tuple[str, bytes | None]]] = field(default_factory=dict)
    forwards: list[tuple[str, LogRecord]] = field(default_factory=list)
    vectors: VectorBatch | None = None
    tombstones: list[Tombstone] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    steps: CallTimes = field(default_factory=CallTimes)
    migrations: CallTimes = field(default_factory=CallTimes)
    renewal: bool = False
