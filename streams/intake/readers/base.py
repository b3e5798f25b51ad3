"""What the readers have in common: dead letters, timestamps, one log record for a record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Protocol

from streams.errors import RecordError
from streams.intake.dead_letters.dead_letter import DeadLetter, make_letter
from streams.intake.decode import DECODE_ERRORS, explain
from streams.intake.source import IntakeResult, SourceBatch
from streams.log.codec import encode
from streams.log.records import LogRecord, Via
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


class SingleReader(ABC):
    """Reads a topic of which each record becomes one log record at most.

    Args:
        settings: the worker's settings.
        platform: name of the topic's platform; empty where it is everybody's.
    """

    def __init__(self, settings: Settings, platform: str = "") -> None:
        self._platform = platform
        self._max_id_bytes = settings.intake.max_id_bytes
        self._log_time = LogTime(settings)

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """The log records and dead letters of ``batch``."""
        result = IntakeResult(seen=len(batch.values))
        for index, value in enumerate(batch.values):
            via = Via(batch.topic, batch.partition, batch.offsets[index])
            source_ms, log_ms = self._log_time.of(batch.timestamps_ms[index], now_ms)
            try:
                made = self._record(via, batch.keys[index], value, source_ms, now_ms)
            except REFUSED as error:
                explained = explain(error, value or b"")
                result.dead.append(letter_of(explained, self._platform, batch, index, now_ms))
                continue
            if made is not None:
                key, record = made
                result.records.append((key.encode(), encode(record), log_ms))
        result.accepted = result.seen - len(result.dead)
        return result

    @abstractmethod
    def _record(
        self, via: Via, key: bytes | None, value: bytes | None, source_ms: int, now_ms: int
    ) -> tuple[str, LogRecord] | None:
        """Log key and log record of one record; None where it makes none.

        Raises:
            RecordError: it can't be used, as for anything else in ``REFUSED``.
        """


def letter_of(
    error: RecordError, platform: str, batch: SourceBatch, index: int, now_ms: int
) -> DeadLetter:
    """The dead letter of the record at ``index`` of ``batch``."""
    return make_letter(
        error=error,
        platform=platform,
        source=(batch.topic, batch.partition, batch.offsets[index]),
        timestamp_ms=batch.timestamps_ms[index],
        key=batch.keys[index],
        raw=batch.values[index],
        headers=batch.headers_of(index),
        seen_ms=now_ms,
    )
