"""Taking erased ids out of the dead letters: the one topic of ours without a key by user."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiokafka
import msgspec
from aiokafka.errors import KafkaError

from streams.errors import PublishError
from streams.intake import deadletter
from streams.interest.effects import Erased
from streams.runtime.leaders import Consumer
from streams.runtime.publisher import NO_HEADERS, Publisher, Record, now_ms

log = logging.getLogger(__name__)

POLL_MS: Final = 500
Place = tuple[int, bytes]
"""partition, key"""


class LetterSweeper:
    """Reads the dead letters once and takes back those that hold an erased id.

    A letter is taken back by an empty value under its own key, after which compaction removes
    it. Letters without a key (of versions before 0.2) stay until their retention ends.

    Args:
        options: options of :class:`aiokafka.AIOKafkaConsumer` (bootstrap, security).
        topic: the dead letters.
        publisher: sends the empty values.

    Attributes:
        looked_at: letters that were read, ever: by it the watchdog sees that it goes on.
    """

    def __init__(self, options: Mapping[str, Any], topic: str, publisher: Publisher) -> None:
        self._options = dict(options)
        self._topic = topic
        self._publisher = publisher
        self._wanted: set[Erased] = set()
        self._reading = asyncio.Lock()
        self.looked_at = 0

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
        try:
            held = await self._find(erased)
        except KafkaError as error:
            raise PublishError(
                f"reading {self._topic} for an erasure failed: {error!r}; nothing of its batch "
                "is committed, it is read again"
            ) from error
        records: dict[int, list[Record]] = {}
        for partition, key in held:
            records.setdefault(partition, []).append((key, None, now_ms(), NO_HEADERS))
        await (await self._publisher.send(self._topic, records)).wait()
        return len(held)

    async def _find(self, erased: set[Erased]) -> list[Place]:
        """Letters that hold an id, as the topic is now."""
        held: dict[Place, None] = {}
        async with Consumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest"
        ) as consumer:
            numbers = range(await self._publisher.partitions(self._topic))
            partitions = [aiokafka.TopicPartition(self._topic, n) for n in numbers]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for tp, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    self.looked_at += len(records)
                    for record in records:
                        _look(held, (tp.partition, record.key), record.value, erased)
        return list(held)


def _look(
    held: dict[Place, None], place: tuple[int, bytes | None], raw: bytes | None, erased: set[Erased]
) -> None:
    partition, key = place
    if key is None:
        return
    held.pop((partition, key), None)
    if not raw:
        return
    try:
        letter = deadletter.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # not a letter of ours
    if any(deadletter.concerns(letter, platform, identity) for platform, identity in erased):
        held[partition, key] = None
