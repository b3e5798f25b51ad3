"""Taking erased ids out of the dead letters: the one topic of ours without a key by user."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from streams.effects.effects import Erased
from streams.intake.dead_letters import dead_letter
from streams.runtime.dead_letters.topic import LetterTopic
from streams.runtime.sending.publisher import NO_HEADERS, Publisher, Record, now_ms

Address = tuple[int, bytes]
"""partition, key"""


class LetterSweeper:
    """Reads the dead letters once and takes back those that hold an erased id.

    A letter is taken back by an empty value under its own key, after which compaction removes
    it. Letters without a key (of versions before 0.2) stay until their retention ends.

    Args:
        topic: the dead letters.
        publisher: sends the empty values.
    """

    def __init__(self, topic: LetterTopic, publisher: Publisher) -> None:
        self._topic = topic
        self._publisher = publisher
        self._wanted: set[Erased] = set()
        self._reading = asyncio.Lock()

    async def sweep(self, erased: Sequence[Erased]) -> int:
        """Take back every letter that holds one of the ids; how many there were.

        One reads at a time; ids that come meanwhile are looked for together by the next.

        Raises:
            PublishError: the letters couldn't be read, or an empty value wasn't acknowledged.
        """
        if not erased:
            return 0
        self._wanted.update(erased)
        async with self._reading:
            if self._wanted.isdisjoint(erased):
                return 0  # the one before took them along, after they had come
            wanted, self._wanted = self._wanted, set()
            return await self._take_back(wanted)

    async def _take_back(self, erased: set[Erased]) -> int:
        held: dict[Address, None] = {}
        await self._topic.read(
            "an erasure",
            lambda partition, key, value: _look(held, (partition, key), value, erased),
        )
        records: dict[int, list[Record]] = {}
        for partition, key in held:
            records.setdefault(partition, []).append((key, None, now_ms(), NO_HEADERS))
        await (await self._publisher.send(self._topic.name, records)).wait()
        return len(held)


def _look(
    held: dict[Address, None],
    address: tuple[int, bytes | None],
    raw: bytes | None,
    erased: set[Erased],
) -> None:
    partition, key = address
    if key is None:
        return
    held.pop((partition, key), None)
    if not raw:
        return
    try:
        letter = dead_letter.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # not a letter of ours
    if any(dead_letter.concerns(letter, platform, identity) for platform, identity in erased):
        held[partition, key] = None
