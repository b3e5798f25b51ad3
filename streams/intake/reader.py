"""What the readers of events and of links have in common: dead letters and their counts."""

from __future__ import annotations

from typing import Protocol

from streams.errors import RecordError
from streams.intake.deadletter import make_letter
from streams.intake.source import IntakeResult, SourceBatch


class Reader(Protocol):
    """Turns the records of one source topic into log records and dead letters."""

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """Everything that ``batch`` becomes at the clock ``now_ms``."""
        ...


def reject(
    result: IntakeResult,
    error: RecordError,
    platform: str,
    batch: SourceBatch,
    place: int,
    now_ms: int,
) -> None:
    """Add the dead letter of the record at ``place`` to ``result``."""
    letter = make_letter(
        error=error,
        platform=platform,
        source=(batch.topic, batch.partition, batch.offsets[place]),
        timestamp_ms=batch.timestamps_ms[place],
        key=batch.keys[place],
        raw=batch.values[place],
        headers=batch.headers_of(place),
        seen_ms=now_ms,
    )
    result.dead.append(letter)
    result.rejected[platform, error.reason] += 1
