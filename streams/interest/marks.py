"""Source marks: which records of each source the log already held.

Every writer of the log (intake, and the update for forwarded records) writes the records of
one source partition in order and repeats from its last commit after a crash. So a record
whose source position isn't beyond the last one seen from that source, in this log partition,
is a repeat. The marks are a function of the log's prefix alone, one per source partition:
they are stored beside the users, not once per user.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from streams.errors import StateError
from streams.interest.log import Via
from streams.interest.state import RECOVER

PREFIX: Final = "\0"
"""First character of the table keys that hold marks; no user key begins with it."""

OWNER: Final = PREFIX + "owner/"
"""Beginning of the table keys under which a new owner signs a partition's changelog."""

Position = tuple[int, int]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[int, Position])


class Marks:
    """Marks of one partition of the log.

    Args:
        partition: the log partition; part of the keys, because a store may keep the keys of
            several partitions together.
    """

    def __init__(self, partition: int) -> None:
        self._prefix = f"{PREFIX}{partition}/"
        self._seen: dict[str, dict[int, Position]] = {}
        self._dirty: set[str] = set()

    def advance(self, via: Via) -> bool:
        """True where the record is new; its position is then the mark."""
        of_topic = self._seen.get(via.topic)
        if of_topic is None:
            of_topic = self._seen[via.topic] = {}
        position = (via.offset, via.sub)
        if position <= of_topic.get(via.partition, (-1, -1)):
            return False
        of_topic[via.partition] = position
        self._dirty.add(via.topic)
        return True

    def take_changes(self) -> list[tuple[str, bytes]]:
        """Table entries of the topics whose marks moved since the last call."""
        changes = [(self.key(t), _encoder.encode(self._seen[t])) for t in sorted(self._dirty)]
        self._dirty.clear()
        return changes

    def key(self, topic: str) -> str:
        """Table key of the marks of a source topic."""
        return self._prefix + topic

    def restore(self, entries: Iterable[tuple[str, bytes | None]]) -> None:
        """Take marks from table entries (key, value).

        Raises:
            StateError: an entry is damaged; to go on without it would count records twice.
        """
        for key, value in entries:
            if value is None:
                continue
            try:
                self._seen[key.removeprefix(self._prefix)] = _decoder.decode(value)
            except msgspec.DecodeError as error:
                raise StateError(
                    f"source marks {key!r} of {len(value)} bytes are damaged: {error}; {RECOVER}"
                ) from error
