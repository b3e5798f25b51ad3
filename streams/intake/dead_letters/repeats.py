"""One dead letter for each position, however often its record is read.

Intake that ends before it could commit has its last records read again. A letter that an erasure
took back in between (:mod:`streams.runtime.dead_letters.sweep`) would then be written again,
behind its tombstone. So a letter of a record that may have been read before is looked up first:
where the topic has its key, with a letter or with a tombstone, nothing is written.

Pure: :mod:`streams.runtime.dead_letters.lookup` does the reading and writing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from streams.intake.dead_letters.dead_letter import DeadLetter, letter_key
from streams.intake.reasons import FROM_FUTURE

TopicPartition = tuple[str, int]
"""topic, partition"""

_KEY: Final = re.compile(rb"([\w.-]{1,249})/(\d{1,10})/(\d{1,19})")

REMEMBERED: Final = 200_000
"""Keys that are remembered for an assignment, some 30 MB. Usually there are few: letters of records
that weren't committed. Only a group whose offsets were lost meets more."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Which records of an assignment may have been read before, by whomever.

    Attributes:
        begins: where reading begins, by source partition.
        ends: where each source partition ended when it was assigned: what came later is new.
    """

    begins: Mapping[TopicPartition, int] = field(default_factory=dict)
    ends: Mapping[TopicPartition, int] = field(default_factory=dict)

    def covers(self, key: bytes) -> bool:
        """Whether a letter of this key can be asked for in this assignment."""
        position = _KEY.fullmatch(key)
        if position is None:
            return False  # not a letter of ours
        topic, partition, offset = position[1].decode(), int(position[2]), int(position[3])
        begin, end = self.begins.get((topic, partition)), self.ends.get((topic, partition))
        return begin is not None and begin <= offset and (end is None or offset < end)


UNKNOWN: Final = Repeats()
"""Nothing is known: every record may have been read before."""


def may_be_repeated(letter: DeadLetter, ends: Mapping[TopicPartition, int]) -> bool:
    """Whether a letter's record may have been read before, in another assignment.

    Args:
        letter: the letter.
        ends: where each source partition ended when it was assigned; one that is missing isn't
            known, so each of its records may have been.
    """
    end = ends.get((letter.topic, letter.partition))
    return end is None or letter.offset < end


def is_by_clock(letter: DeadLetter) -> bool:
    """Whether another worker, or the same one later, may take the record for an event after all.

    Such a letter must be there before the log has anything that its partition sent later. Otherwise
    a crash between the two may leave neither: whoever reads the record again by another clock
    writes it to the log, behind what came later, where it is taken for a repeat.
    """
    return letter.reason == FROM_FUTURE


def fresh(
    letters: Iterable[DeadLetter], ends: Mapping[TopicPartition, int], known: Container[bytes]
) -> list[DeadLetter]:
    """The letters that have to be written.

    Args:
        letters: what intake has for records that can't be used.
        ends: see :func:`may_be_repeated`.
        known: keys that the dead-letter topic has, with a letter or with a tombstone, read after
            ``ends`` were.
    """
    return [x for x in letters if not may_be_repeated(x, ends) or letter_key(x) not in known]


class Known:
    """Which keys the dead-letter topic had when it was read.

    What can be asked for in the assignment is remembered too, so that the topic is read once for
    it. Beyond a limit nothing is answered but what was wanted.

    Args:
        repeats: the assignment's; no other's is answered.
        wanted: keys to be looked for in any case.
        limit: other keys that are remembered.
    """

    def __init__(
        self, repeats: Repeats, wanted: Collection[bytes] = (), limit: int = REMEMBERED
    ) -> None:
        self._repeats = repeats
        self._wanted = frozenset(wanted)
        self._left = limit
        self._found: set[bytes] = set()

    def see(self, key: bytes | None) -> None:
        """The topic has this key."""
        if key is None or key in self._found:
            return
        if key in self._wanted:
            self._found.add(key)
        elif self._left >= 0 and self._repeats.covers(key):
            self._left -= 1
            self._found.add(key)

    def answers(self, repeats: Repeats, keys: Iterable[bytes]) -> bool:
        """Whether it is known of each key if the topic had it."""
        whole = self._left >= 0
        return repeats is self._repeats and all(
            key in self._wanted or (whole and repeats.covers(key)) for key in keys
        )

    def __contains__(self, key: object) -> bool:
        return key in self._found
