"""What follows a row in a stored value: local ids, and what the user has asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

LocalId = tuple[str, str]
"""(platform, local id)"""

NOT_ERASED: Final = -1
EVERY_SOURCE: Final = -1
"""A set of sources, as bits by platform index, that holds them all."""


class Privacy(msgspec.Struct, array_like=True):
    """What a user has asked for; nearly all users have none of it.

    Attributes:
        allow: see :class:`streams.log.records.Consent`.
        pairs: the same.
        kept: sources whose events the user's own row holds, as bits by platform index.
        views: further rows, one for each other set of sources that some target may use:
            (set, stored value without a tail; empty where the row is).
        erased_ms: events up to this time don't count (``NOT_ERASED``: never erased).
        refuse: no events count at all any more.
    """

    allow: bool = False
    pairs: tuple[tuple[str, str], ...] = ()
    kept: int = EVERY_SOURCE
    views: tuple[tuple[int, bytes], ...] = ()
    erased_ms: int = NOT_ERASED
    refuse: bool = False

    @property
    def needless(self) -> bool:
        """Whether a user like this is like everybody else."""
        return not (self.allow or self.pairs or self.views or self.refuse or self.erased_ms >= 0)


class Tail(msgspec.Struct):
    """What follows a row in a stored value, where it isn't a plain list of local ids."""

    local_ids: list[LocalId] = []
    privacy: Privacy | None = None


_encoder = msgspec.msgpack.Encoder()
tail_decoder = msgspec.msgpack.Decoder(list[LocalId] | Tail)


def encode_tail(local_ids: Sequence[LocalId], privacy: Privacy | None = None) -> bytes:
    """Tail of a stored value: the user's local ids, and what the user has asked for."""
    if privacy is not None:
        return _encoder.encode(Tail(list(local_ids), privacy))
    return _encoder.encode(list(local_ids)) if local_ids else b""
