"""Records of a platform's links topic -> links in the log, under the local id's key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.checks import id_of_record, key_id, text_id
from streams.intake.formats.native import Id
from streams.intake.readers.base import SingleReader
from streams.log.keys import local_key
from streams.log.records import Link, Via


class NativeLink(msgspec.Struct, gc=False):
    """A link as producers send it; the record's key is the local id."""

    local_id: Id | None = None
    user_id: Id | None = None


_decode: Callable[[bytes], NativeLink] = msgspec.json.Decoder(NativeLink).decode


class LinkReader(SingleReader):
    """Reads the links of one platform."""

    def _record(
        self, via: Via, key: bytes | None, value: bytes | None, source_ms: int, now_ms: int
    ) -> tuple[str, Link]:
        local_id, user = self._link(key, value)
        link = Link(via, self._platform, local_id, user, source_ms)
        return local_key(self._platform, local_id), link

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
        return id_of_record(key, link.local_id, "local_id", self._max_id_bytes), user
