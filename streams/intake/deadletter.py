"""Dead letters: what was received, what is wrong with it, and what would be right."""

from __future__ import annotations

from importlib import metadata
from typing import Final

import msgspec

from streams.errors import RecordError

MAX_RAW_BYTES: Final = 524_288
"""Bytes of a record that a letter carries: base64 makes them 683 KiB, and a broker refuses
messages over 1 MiB by default. A longer record is cut, and says so."""


class DeadLetter(msgspec.Struct, frozen=True):
    """One record that can't be used. JSON; bytes are base64.

    Attributes:
        topic: source topic.
        partition: its partition.
        offset: its offset.
        timestamp_ms: its Kafka timestamp, -1 where it has none.
        platform: the platform that the topic belongs to.
        reason: one of ``streams.intake.reasons.REJECTED``.
        field: the offending field (``items[2].item_id``), empty for the record as a whole.
        value: what the field had, as text, shortened.
        remedy: what would be right.
        key: the record's key.
        raw: the record's value.
        headers: the record's headers.
        truncated: whether ``raw`` or ``key`` were cut, so that the letter can't be redriven.
        seen_ms: the worker's clock when it was rejected.
        worker: version of the worker that rejected it.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    platform: str
    reason: str
    field: str
    value: str
    remedy: str
    key: bytes | None
    raw: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    truncated: bool
    seen_ms: int
    worker: str


def _worker_version() -> str:
    try:
        return metadata.version("interest-stream")
    except metadata.PackageNotFoundError:  # run from a source tree that isn't installed
        return "unknown"


WORKER_VERSION: Final = _worker_version()
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(DeadLetter)


def encode(letter: DeadLetter) -> bytes:
    """Bytes of the message for the dead-letter topic."""
    return _encoder.encode(letter)


def decode(raw: bytes) -> DeadLetter:
    """A dead letter from its bytes.

    Raises:
        msgspec.DecodeError: ``raw`` isn't a dead letter.
    """
    return _decoder.decode(raw)


def make_letter(
    *,
    error: RecordError,
    platform: str,
    source: tuple[str, int, int],
    timestamp_ms: int,
    key: bytes | None,
    raw: bytes | None,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    seen_ms: int,
) -> DeadLetter:
    """The letter for a record that raised ``error``.

    Args:
        error: what is wrong.
        platform: the topic's platform.
        source: topic, partition and offset of the record.
        timestamp_ms: Kafka timestamp of the record.
        key: its key.
        raw: its value.
        headers: its headers.
        seen_ms: the worker's clock.
    """
    topic, partition, offset = source
    sizes = len(key or b""), len(raw or b""), sum(len(k) + len(v or b"") for k, v in headers)
    truncated = sum(sizes) > MAX_RAW_BYTES
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp_ms=timestamp_ms,
        platform=platform,
        reason=error.reason,
        field=error.field,
        value=error.value,
        remedy=error.remedy,
        key=key[: MAX_RAW_BYTES // 4] if key and truncated else key,
        raw=raw[: MAX_RAW_BYTES // 2] if raw and truncated else raw,
        headers=() if truncated else headers,
        truncated=truncated,
        seen_ms=seen_ms,
        worker=WORKER_VERSION,
    )
