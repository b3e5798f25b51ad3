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
from streams.intake.checks import id_of_record, key_id
from streams.intake.formats.native import Id
from streams.intake.readers.base import SingleReader
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


class ConsentReader(SingleReader):
    """Reads the consent topic.

    Args:
        settings: the worker's settings.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._platforms = settings.platform_names()

    def _record(
        self, via: Via, key: bytes | None, value: bytes | None, source_ms: int, now_ms: int
    ) -> tuple[str, Consent]:
        user, allow, pairs = self._consent(key, value)
        return user_key(user), Consent(via, allow, pairs, source_ms)

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
        for index, pair in enumerate(pairs or ()):
            self._check(pair.source, f"{field}[{index}].source")
            self._check(pair.target, f"{field}[{index}].target")
        # Sorted, so that the same wishes are the same bytes.
        named = tuple(sorted({(pair.source, pair.target) for pair in pairs or ()}))
        return user, said.denied is None, named

    def _check(self, name: str, field: str) -> None:
        if name != ANY and name not in self._platforms:
            remedy = f'send one of {", ".join(self._platforms)}, or "*" for any'
            raise RecordError(reasons.UNKNOWN_PLATFORM, field, name, remedy)
