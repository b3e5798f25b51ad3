"""Reading the dead letters as a whole: for an erasure, or for letters that may be there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError

from streams.errors import PublishError
from streams.intake.dead_letters.dead_letter import DeadLetter, encode, letter_key
from streams.runtime.sending.publisher import NO_HEADERS, Publisher, Record
from streams.runtime.transport.leader_refresh import Consumer
from streams.runtime.transport.whole_topic import Fetched, read_to_end


def records_of(letters: Sequence[DeadLetter]) -> list[Record]:
    """Dead letters as they are sent: each under its position."""
    return [(letter_key(letter), encode(letter), letter.seen_ms, NO_HEADERS) for letter in letters]


See = Callable[[int, bytes | None, bytes | None], None]
"""Takes partition, key and value of a record."""


class LetterTopic:
    """The topic of the dead letters, read from its beginning to where it ends now.

    All partitions are read: a letter lies where its key was sent when the topic had fewer.

    Args:
        options: options of :class:`aiokafka.AIOKafkaConsumer` (bootstrap, security).
        topic: the dead letters.
        publisher: knows how many partitions there are.

    Attributes:
        name: the topic's.
        looked_at: letters that were read, ever: by it the watchdog sees that it goes on.
    """

    def __init__(self, options: Mapping[str, Any], topic: str, publisher: Publisher) -> None:
        self._options = dict(options)
        self._publisher = publisher
        self.name = topic
        self.looked_at = 0

    async def read(self, why: str, see: See) -> None:
        """Show every letter and every tombstone, those of a partition in order.

        Args:
            why: for the message, what it is for.
            see: is shown each record.

        Raises:
            PublishError: the topic can't be read.
        """
        try:
            await self._read(see)
        except KafkaError as error:
            raise PublishError(
                f"reading {self.name} for {why} failed: {error!r}; nothing of its batch is "
                "committed, it is read again"
            ) from error

    async def _read(self, see: See) -> None:
        async with Consumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest"
        ) as consumer:
            numbers = range(await self._publisher.partitions(self.name))
            partitions = [aiokafka.TopicPartition(self.name, n) for n in numbers]
            await read_to_end(consumer, partitions, partial(self._show, see))

    def _show(self, see: See, fetched: Fetched) -> None:
        for tp, records in fetched.items():
            self.looked_at += len(records)
            for record in records:
                see(tp.partition, record.key, record.value)
