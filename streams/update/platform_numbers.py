"""The platforms' numbers in stored windows, and that they mean the same for ever.

A window stores a platform as its number in the bundle's contract. A bundle with the same
platforms in another order would read every old window wrongly, without a word. So each
partition of the table says which names its numbers stand for; a bundle may add platforms at
the end, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from streams.errors import StateError
from streams.update.source_marks import PREFIX
from streams.windows.stored_value import RECOVER

VOCABULARY: Final = PREFIX + "platforms/"
"""Beginning of the table keys that hold a partition's platform names."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[str, ...])


def vocabulary_key(partition: int) -> str:
    """Table key of a log partition's platform names."""
    return f"{VOCABULARY}{partition}"


def encode_vocabulary(platforms: Sequence[str]) -> bytes:
    """Table value of platform names, in the order of their numbers."""
    return _encoder.encode(tuple(platforms))


def check_vocabulary(stored: bytes | None, platforms: Sequence[str]) -> bool:
    """Whether the stored names are these already; False where they have to be written.

    Raises:
        StateError: the value is damaged, or its numbers stand for other platforms.
    """
    if stored is None:
        return False
    try:
        names = _decoder.decode(stored)
    except msgspec.DecodeError as error:
        raise StateError(
            f"the stored names of the platforms are damaged: {error}; {RECOVER}"
        ) from error
    if names != tuple(platforms[: len(names)]):
        raise StateError(
            f"stored windows number the platforms {', '.join(names)}, the bundle "
            f"{', '.join(platforms)}: train a bundle that begins with the stored order (it may "
            "add platforms at the end), or give the service another service.name, which starts "
            "from nothing"
        )
    return len(names) == len(platforms)
