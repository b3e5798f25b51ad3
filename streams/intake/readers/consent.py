"""Records of the consent topic -> consent in the log, under the user's key.

Each record is all that a user has said: it takes the place of the one before, so that what
compaction keeps is enough.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.errors import RecordError
from streams.identity.allowed_sources import ANY
from streams.intake import reasons
from streams.intake.checks import key_id, text_id
from streams.intake.decode import explain
from streams.intake.formats.native import Id
from streams.intake.readers.base import REFUSED, LogTime, reject
from streams.intake.source import IntakeResult, SourceBatch
from streams.log.codec import encode
from streams.log.keys import user_key
from streams.log.records import Consent, Via
from streams.settings import Settings


class NativePair(msgspec.Struct, gc=False):
    """A source and the target that its events are used for; ``"*"`` is any."""

    source: str = ANY
    target: str = ANY


class NativeConsent(msgspec.Struct, gc=False):
    """What a user says, as it is sent; the record's key is the user id."""

    user_id: Id | None = None
    denied: list[NativePair] | None = None
    allowed: list[NativePair] | None = None


_decode: Callable[[bytes], NativeConsent] = msgspec.json.Decoder(NativeConsent).decode


class ConsentReader:
    """Reads the consent topic.

    Args:
        settings: the worker's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._platforms = settings.platform_names()
        self._max_id_bytes = settings.intake.max_id_bytes
        self._log_time = LogTime(settings)

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """The log records and dead letters of ``batch``."""
        result = IntakeResult(seen=len(batch.values))
        for place, value in enumerate(batch.values):
            try:
                user, allow, pairs = self._consent(batch.keys[place], value)
            except REFUSED as error:
                reject(result, explain(error, value or b""), "", batch, place, now_ms)
                continue
            via = Via(batch.topic, batch.partition, batch.offsets[place])
            source_ms, log_ms = self._log_time.of(batch.timestamps_ms[place], now_ms)
            record = Consent(via, allow, pairs, source_ms)
            result.records.append((user_key(user).encode(), encode(record), log_ms))
        result.accepted = len(result.records)
        return result

    def _consent(
        self, key: bytes | None, value: bytes | None
    ) -> tuple[str, bool, tuple[tuple[str, str], ...]]:
        """User, whether the pairs are what is allowed, and the pairs; no value: no wishes."""
        if not value:
            return key_id(key, "user_id", self._max_id_bytes), False, ()
        said = _decode(value)
        user = id_of_record(key, said.user_id, "user_id", self._max_id_bytes)
        if (said.denied is None) == (said.allowed is None):
            remedy = "send one of `denied` and `allowed`, a list of {source, target}"
            raise RecordError(reasons.BAD_CONSENT, "denied", "", remedy)
        field = "allowed" if said.denied is None else "denied"
        pairs = said.allowed if said.denied is None else said.denied
        for place, pair in enumerate(pairs or ()):
            self._check(pair.source, f"{field}[{place}].source")
            self._check(pair.target, f"{field}[{place}].target")
        # Sorted, so that the same wishes are the same bytes.
        named = tuple(sorted({(pair.source, pair.target) for pair in pairs or ()}))
        return user, said.denied is None, named

    def _check(self, name: str, field: str) -> None:
        if name != ANY and name not in self._platforms:
            remedy = f'send one of {", ".join(self._platforms)}, or "*" for any'
            raise RecordError(reasons.UNKNOWN_PLATFORM, field, name, remedy)


def id_of_record(key: bytes | None, given: Id | None, field: str, max_bytes: int) -> str:
    """The id of a compacted topic's record: in its value, or its key.

    Raises:
        RecordError: there is none, or the two differ: compaction goes by the key, and under
            another one the record could never be replaced.
    """
    if given is None:
        return key_id(key, field, max_bytes)
    found = text_id(given, field, max_bytes)
    if key and key != found.encode():
        raise RecordError(reasons.KEY_MISMATCH, "key", key, f"key the record by {found!r}")
    return found
