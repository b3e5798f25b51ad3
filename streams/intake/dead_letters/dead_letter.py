"""Dead letters: what was received, what is wrong with it, and what would be right."""

from __future__ import annotations

import re
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
    try:
        return _decoder.decode(raw)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec lets them through
        raise msgspec.DecodeError(f"not UTF-8, or nested too deeply: {error}") from error


def letter_key(letter: DeadLetter) -> bytes:
    """Key of the message: the record's position, so that each letter can be taken back alone.

    A letter that intake writes again after a crash has the same, and compaction keeps one.
    """
    return f"{letter.topic}/{letter.partition}/{letter.offset}".encode()


def concerns(letter: DeadLetter, platform: str, identity: str) -> bool:
    """Whether a letter holds an id.

    Where the record can be parsed, one of its values must be the id; where it can't, the id
    must stand in it as a word. So a letter that has the word for another reason may be taken
    for one that concerns the id; the other way round it can't be.

    Args:
        letter: the letter.
        platform: whose id it is; empty for a user's.
        identity: the id.
    """
    if platform and letter.platform and platform != letter.platform:
        return False
    key = (letter.key or b"").decode(errors="replace")
    keys = {identity, f"u/{identity}", f"{platform}/{identity}", f"l/{platform}/{identity}"}
    if key in keys:
        return True
    if not _may_hold(letter, identity):
        return False
    texts = [letter.value, *((v or b"").decode(errors="replace") for _, v in letter.headers)]
    try:
        found = _values(msgspec.json.decode(letter.raw or b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = set()
        texts.append((letter.raw or b"").decode(errors="replace"))
    word = re.compile(rf"(?<![\w-]){re.escape(identity)}(?![\w-])")
    return identity in found or any(map(word.search, texts))


def _may_hold(letter: DeadLetter, identity: str) -> bool:
    """Whether the id's bytes are there at all; nearly all letters are done with by this.

    JSON may write any character as an escape, so a record with escapes may.
    """
    raw, found = letter.raw or b"", identity.encode()
    if found in raw or b"\\u" in raw or identity in letter.value:
        return True
    return any(found in (value or b"") for _, value in letter.headers)


def _values(parsed: object) -> set[str]:
    """Every text and number in parsed JSON, as text."""
    found: set[str] = set()
    rest = [parsed]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str | int) and not isinstance(value, bool):
            found.add(str(value))
    return found


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
    truncated = _size(key, raw, headers) > MAX_RAW_BYTES
    return DeadLetter(
        *source,
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


def _size(
    key: bytes | None, raw: bytes | None, headers: tuple[tuple[str, bytes | None], ...]
) -> int:
    """Bytes of a record's key, value and headers."""
    return len(key or b"") + len(raw or b"") + sum(len(k) + len(v or b"") for k, v in headers)
