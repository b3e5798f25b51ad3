"""What the readers of events and of links have in common: dead letters and timestamps."""

from __future__ import annotations

from typing import Final, Protocol

from streams.errors import RecordError
from streams.intake.decode import DECODE_ERRORS
from streams.intake.letters.dead_letter import make_letter
from streams.intake.source import IntakeResult, SourceBatch
from streams.settings import Settings

DAY_MS: Final = 86_400_000
REFUSED: Final = (RecordError, *DECODE_ERRORS)
"""Everything that makes a record a dead letter."""


class LogTime:
    """Kafka timestamps of log records.

    The source record's own goes on, so that lag is seen in full. But a log record that
    carried a years-old one would be deleted by the log's retention before it is read, and
    brokers refuse one far in the future; such a record is stamped with now.

    Args:
        settings: the worker's settings.
    """

    __slots__ = ("_max_age_ms",)

    def __init__(self, settings: Settings) -> None:
        self._max_age_ms = round(settings.events.retention_days * DAY_MS / 2)

    def of(self, kafka_ms: int, now_ms: int) -> tuple[int, int]:
        """Source timestamp (now where the record has none), and the log record's timestamp."""
        if now_ms - self._max_age_ms <= kafka_ms <= now_ms:
            return kafka_ms, kafka_ms
        return (kafka_ms if kafka_ms >= 0 else now_ms), now_ms


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
