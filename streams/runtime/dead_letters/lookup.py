"""Which letters the dead-letter topic lacks: what it has had once isn't written again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.intake.dead_letters.dead_letter import DeadLetter, letter_key
from streams.intake.dead_letters.repeats import UNKNOWN, Known, Repeats, fresh
from streams.runtime.dead_letters.topic import LetterTopic


class LetterLookup:
    """Looks letters of records that may have been read before up in the topic.

    The topic is read when the first of an assignment is asked for, and what was found answers the
    others. Their own letters don't matter: each position is read once in an assignment.

    Args:
        topic: the dead letters.
    """

    def __init__(self, topic: LetterTopic) -> None:
        self._topic = topic
        self._known = Known(UNKNOWN)
        self._wanted: set[bytes] = set()
        self._reading = asyncio.Lock()

    async def missing(self, letters: Sequence[DeadLetter], repeats: Repeats) -> list[DeadLetter]:
        """The letters of which the topic doesn't have the key, with a letter or a tombstone.

        One reads at a time; letters that come meanwhile are looked for together by the next.

        Args:
            letters: letters of records that may have been read before.
            repeats: what is known of the assignment that they were read in.

        Raises:
            PublishError: the topic can't be read.
        """
        keys = {letter_key(letter) for letter in letters}
        self._wanted |= keys
        async with self._reading:
            if not self._known.answers(repeats, keys):
                self._known = await self._look(repeats)
            self._wanted -= keys
            return fresh(letters, repeats.ends, self._known)

    async def _look(self, repeats: Repeats) -> Known:
        known = Known(repeats, self._wanted)
        await self._topic.read("a repeat", lambda _partition, key, _value: known.see(key))
        return known
