"""Bringing every stored user over to the bundle in force, in the background.

A user whose state another bundle made is computed again from the window at the next event. Who
has no event would keep a vector of the old bundle, so each partition is also gone through once
for each bundle, and what is found of another is computed again and published.

How far that is, the partition's table says itself, in one entry: the bundle, and whether all are
over. It is written **before** the first vector of the bundle leaves (``Effects.declared``). A
worker that finds its own bundle there, unfinished, goes on with those users whose state is of
another bundle: their vectors went out before their states were stored. One that finds *another*
bundle there, unfinished, can't tell by a state which vector was the last to go out: a state of its
own bundle may have a vector of the other's that came out before a crash. It publishes everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from streams.errors import StateError
from streams.update.source_marks import PREFIX
from streams.windows.stored_value import RECOVER, bundle_of

RENEWAL: Final = PREFIX + "bundle/"
"""Beginning of the table keys that say how far a partition has come over to a bundle."""
START: Final = "l"
"""Before the first key of a user or a local id, after those of marks and of Faust."""
CHUNK_SCAN: Final = 20_000
"""Values that one look may pass over: some 10 ms."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, bool, bool])


def renewal_key(partition: int) -> str:
    """Table key under which a log partition says which bundle computes it."""
    return f"{RENEWAL}{partition}"


@dataclass(slots=True)
class Renewal:
    """How far one partition has come over to the bundle in force.

    Attributes:
        bundle: tag of the bundle.
        complete: every user's state and last vector are of it.
        everyone: also users whose state is of this bundle must be published.
        declared: the table says so.
        after: key behind which the next users are.
    """

    bundle: int
    complete: bool = False
    everyone: bool = False
    declared: bool = False
    after: str = START

    @classmethod
    def restore(cls, stored: bytes | None, bundle: int) -> Renewal:
        """What is to be done under ``bundle`` where the table says ``stored``.

        Raises:
            StateError: the value is damaged.
        """
        if stored is None:
            return cls(bundle)
        try:
            before, complete, everyone = _decoder.decode(stored)
        except msgspec.DecodeError as error:
            raise StateError(
                f"which bundle computed the partition is damaged ({stored!r}): {error}; {RECOVER}"
            ) from error
        if before == bundle:
            return cls(bundle, complete, everyone, declared=True)
        return cls(bundle, everyone=not complete)

    def value(self) -> bytes:
        """The table's entry."""
        return _encoder.encode((self.bundle, self.complete, self.everyone))


@dataclass(slots=True)
class Found:
    """Users to bring over, and how far the table was looked through."""

    keys: list[str]
    last: str
    end: bool


def next_users(
    values: Iterator[tuple[str, bytes]], renewal: Renewal, bundle: int, limit: int, scan: int
) -> Found:
    """The next users to bring over.

    Args:
        values: keys and values behind ``renewal.after``, in order.
        renewal: how far it is.
        bundle: tag of the bundle in force.
        limit: users at the most.
        scan: values that are looked at, at the most.
    """
    found = Found([], renewal.after, end=False)
    for _ in range(scan):
        entry = next(values, None)
        if entry is None:
            found.end = True
            return found
        found.last, value = entry
        of = bundle_of(value)
        if of is not None and (renewal.everyone or of != bundle):
            found.keys.append(found.last)
            if len(found.keys) == limit:
                return found
    return found
