"""What intake reads and what it hands on: plain columns in, plain lists out, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.intake.dead_letters.dead_letter import DeadLetter

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Consecutive records of one partition of a platform's topic, as columns of equal length.

    Attributes:
        topic: source topic.
        partition: partition of that topic.
        offsets: offset of each record.
        timestamps_ms: Kafka timestamp of each record; -1 where the record has none.
        keys: key bytes, or None.
        values: value bytes, or None.
        headers: headers of each record; None where the caller has none.
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Sequence[Header]] | None = None

    def headers_of(self, index: int) -> tuple[Header, ...]:
        """Headers of the record at ``index`` in the batch."""
        return () if self.headers is None else tuple(self.headers[index])


@dataclass(slots=True)
class IntakeResult:
    """Everything that one batch became; each source record is in exactly one place.

    ``seen == accepted + len(dead) + ignored.total()`` holds for every batch.

    Attributes:
        records: (key, value, Kafka timestamp to send it with, ms) for ``interest.events``, in
            source order.
        dead: dead letters, in source order.
        seen: source records in the batch.
        accepted: source records that became one or several log records.
        events: log events by (platform, action).
        ignored: records without effect by (platform, reason).
    """

    records: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    seen: int = 0
    accepted: int = 0
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    ignored: Counter[tuple[str, str]] = field(default_factory=Counter)
