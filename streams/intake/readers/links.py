"""Records of a platform's links topic -> links in the log, under the local id's key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.checks import key_id, text_id
from streams.intake.decode import explain
from streams.intake.formats.native import Id
from streams.intake.readers.base import REFUSED, LogTime, reject
from streams.intake.source import IntakeResult, SourceBatch
from streams.log.codec import encode
from streams.log.keys import local_key
from streams.log.records import Link, Via
from streams.settings import Settings


class NativeLink(msgspec.Struct, gc=False):
    """A link as producers send it; the record's key is the local id."""

    local_id: Id | None = None
    user_id: Id | None = None


_decode: Callable[[bytes], NativeLink] = msgspec.json.Decoder(NativeLink).decode


class LinkReader:
    """Reads the links of one platform.

    Args:
        settings: the worker's settings.
        platform: name of the platform.
    """

    def __init__(self, settings: Settings, platform: str) -> None:
        self._platform = platform
        self._max_id_bytes = settings.intake.max_id_bytes
        self._log_time = LogTime(settings)

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """The log records and dead letters of ``batch``."""
        result = IntakeResult(seen=len(batch.values))
        for place, value in enumerate(batch.values):
            try:
                local_id, user = self._link(batch.keys[place], value)
            except REFUSED as error:
                reject(result, explain(error, value or b""), self._platform, batch, place, now_ms)
                continue
            via = Via(batch.topic, batch.partition, batch.offsets[place])
            source_ms, log_ms = self._log_time.of(batch.timestamps_ms[place], now_ms)
            link = Link(via, self._platform, local_id, user, source_ms)
            key = local_key(self._platform, local_id).encode()
            result.records.append((key, encode(link), log_ms))
        result.accepted = len(result.records)
        if result.accepted:
            result.links[self._platform] = result.accepted
        return result

    def _link(self, key: bytes | None, value: bytes | None) -> tuple[str, str | None]:
        """Local id and user (None: the link is removed) of one record."""
        if not value:
            return key_id(key, "local_id", self._max_id_bytes), None
        link = _decode(value)
        if link.user_id is None:
            raise RecordError(
                reasons.NO_USER, "user_id", "", "send user_id; an empty value removes a link"
            )
        user = text_id(link.user_id, "user_id", self._max_id_bytes)
        if link.local_id is None:
            return key_id(key, "local_id", self._max_id_bytes), user
        local_id = text_id(link.local_id, "local_id", self._max_id_bytes)
        # Compaction goes by the key: under another one, the link could never be removed.
        if key and key != local_id.encode():
            raise RecordError(reasons.KEY_MISMATCH, "key", key, f"key the record by {local_id!r}")
        return local_id, user
