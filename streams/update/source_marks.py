"""Source marks: which records of each source the log already held.

Every writer of the log (intake, and the update for forwarded records) writes the records of
one source partition in order and repeats from its last commit after a crash. So a record
whose source position isn't beyond the last one seen from that source, in this log partition,
is a repeat. The marks are a function of the log's prefix alone, one per source partition:
they are stored beside the users, not once per user.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import StateError
from streams.log.records import Via
from streams.windows.stored_value import RECOVER

PREFIX: Final = "\0"
"""First character of the table keys that hold marks; no user key begins with it."""

OWNER: Final = PREFIX + "owner/"
"""Beginning of the table keys under which a new owner signs a partition's changelog."""

SUB_BITS: Final = 16
"""Bits of a position inside a source record, where a position is one number."""
MAX_SUB: Final = (1 << SUB_BITS) - 1
MAX_OFFSET: Final = (1 << (62 - SUB_BITS)) - 1

Int64 = NDArray[np.int64]
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

    def advance_all(self, topics: Sequence[str], sources: Int64) -> NDArray[np.bool_]:
        """:meth:`advance` for n records of the log in their order.

        Args:
            topics: names of source topics.
            sources: [4, n] each record's index in ``topics``, partition, offset and sub.
        """
        topic, partition, offset, sub = sources
        order = np.lexsort((partition, topic))  # keeps the log's order within a source
        by_topic, by_partition = topic[order], partition[order]
        position = (offset << SUB_BITS | sub)[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (by_topic[1:] != by_topic[:-1]) | (by_partition[1:] != by_partition[:-1])
        rising = position[1:] > position[:-1]
        fit = 0 <= sub.min() <= sub.max() <= MAX_SUB
        fit = fit and 0 <= offset.min() <= offset.max() <= MAX_OFFSET
        if not fit or not (begins[1:] | rising).all():  # intake began anew, or something stranger
            vias = [Via(topics[t], p, o, s) for t, p, o, s in sources.T.tolist()]
            return np.array([self.advance(via) for via in vias], np.bool_)
        last = order[np.append(np.flatnonzero(begins)[1:], len(order)) - 1]
        marks = [self._pass(Via(topics[t], p, o, s)) for t, p, o, s in sources.T[last].tolist()]
        fresh = np.empty(len(order), np.bool_)
        fresh[order] = position > np.array(marks)[np.cumsum(begins) - 1]
        return fresh

    def _pass(self, via: Via) -> int:
        """Advance; the mark that was there before, as one number to which positions compare."""
        offset, sub = self._seen.get(via.topic, {}).get(via.partition, (-1, 0))
        self.advance(via)
        return min(offset, MAX_OFFSET) << SUB_BITS | min(sub, MAX_SUB)

    def take_changes(self) -> list[tuple[str, bytes]]:
        """Table entries of the topics whose marks moved since the last call."""
        changes = [(self.key(t), self._encode(t)) for t in sorted(self._dirty)]
        self._dirty.clear()
        return changes

    def _encode(self, topic: str) -> bytes:
        return _encoder.encode(dict(sorted(self._seen[topic].items())))

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
