"""Records of the erasure topic -> erasures in the log, under the key of whom they are about."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.checks import id_of_record, key_id, text_id, time_ms_of
from streams.intake.formats.native import Id, Time
from streams.intake.readers.base import SingleReader
from streams.log.keys import local_key, user_key
from streams.log.records import Erase, Via
from streams.settings import Settings


class NativeErasure(msgspec.Struct, gc=False):
    """An erasure as it is sent; the record's key is the user id, or ``platform/local_id``."""

    user_id: Id | None = None
    platform: str | None = None
    local_id: Id | None = None
    time: Time | None = None


_decode: Callable[[bytes], NativeErasure] = msgspec.json.Decoder(NativeErasure).decode


class ErasureReader(SingleReader):
    """Reads the erasure topic.

    Args:
        settings: the worker's settings.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._linked = [p.name for p in settings.platforms if p.ids == "linked"]
        self._max_future_ms = round(settings.window.max_future_s * 1000)
        self._refuse = settings.erasure.later_events == "refuse"

    def _record(
        self, via: Via, key: bytes | None, value: bytes | None, source_ms: int, now_ms: int
    ) -> tuple[str, Erase]:
        name, time = self._whose(key, value)
        latest = now_ms + self._max_future_ms
        at_ms = source_ms if time is None else time_ms_of(time, source_ms, latest)
        return name, Erase(via, at_ms, self._refuse, not value, source_ms)

    def _whose(self, key: bytes | None, value: bytes | None) -> tuple[str, Time | None]:
        """Key in the log, and the time up to which nothing may count (None: the record's)."""
        if not value:
            return self._of_key(key_id(key, "user_id", self._max_id_bytes)), None
        said = _decode(value)
        if said.platform is None and said.local_id is None:
            user = id_of_record(key, said.user_id, "user_id", self._max_id_bytes)
            return user_key(user), said.time
        if said.user_id is not None or said.local_id is None or said.platform is None:
            remedy = "send user_id, or platform and local_id"
            raise RecordError(reasons.NO_USER, "user_id", "", remedy)
        if said.platform not in self._linked:
            remedy = f"send one of the platforms with linked ids ({', '.join(self._linked)})"
            raise RecordError(reasons.UNKNOWN_PLATFORM, "platform", said.platform, remedy)
        local = text_id(said.local_id, "local_id", self._max_id_bytes)
        name = f"{said.platform}/{local}"
        if key and key != name.encode():
            raise RecordError(reasons.KEY_MISMATCH, "key", key, f"key the record by {name!r}")
        return local_key(said.platform, local), said.time

    def _of_key(self, name: str) -> str:
        """Log key of a record without a value; whose key it is, the prefix says."""
        platform, _, local = name.partition("/")
        return local_key(platform, local) if local and platform in self._linked else user_key(name)
