"""Sending what the update wants sent: each kind of record to its topic, over its publisher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from streams.effects.effects import Refused, Tombstone, VectorBatch
from streams.errors import RecordError
from streams.intake.dead_letters.dead_letter import DeadLetter, make_letter
from streams.log import codec
from streams.log.partition import partitions_of
from streams.log.records import LogRecord
from streams.publish.encode import VectorEncoder
from streams.runtime.dead_letters.topic import records_of
from streams.runtime.rebalance.fence import PartitionPublishers
from streams.runtime.sending.publisher import (
    NO_HEADERS,
    KeyedPublisher,
    Record,
    Sent,
    by_partition,
)
from streams.runtime.table.user_store import Entries
from streams.settings import Settings


class EffectsSender:
    """Hands a batch's records to the producers; what it returns says when they're in.

    Args:
        settings: the worker's settings, which name the topics.
        encoder: encoder of the vectors.
        publisher: where forwarded records and dead letters go.
        owned: where a log partition's changelog and vectors go.
        changelog: name of the table's changelog topic.
        clock_ms: the wall clock.

    Attributes:
        encoder: encoder of the active bundle's vectors.
    """

    def __init__(
        self,
        settings: Settings,
        encoder: VectorEncoder,
        publisher: KeyedPublisher,
        owned: PartitionPublishers,
        changelog: str,
        clock_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self.encoder = encoder
        self._publisher = publisher
        self.owned = owned
        self._changelog = changelog
        self._clock_ms = clock_ms

    async def changelog(self, changes: Mapping[int, Entries]) -> list[Sent]:
        """Changed values, by partition of the log."""
        now = self._clock_ms()
        sent = []
        for partition, entries in changes.items():
            records: list[Record] = [
                (key.encode(), value, now, NO_HEADERS) for key, value in entries
            ]
            publisher = self.owned.of(partition)
            sent.append(await publisher.send(self._changelog, {partition: records}))
        return sent

    async def forwards(self, forwards: Iterable[tuple[str, LogRecord]]) -> Sent:
        """Records for the log, under the keys of their users."""
        now = self._clock_ms()
        records: list[Record] = [
            (key.encode(), codec.encode(record), now, NO_HEADERS) for key, record in forwards
        ]
        return await self._publisher.send(self._settings.events.topic, records)

    async def vectors(self, vectors: VectorBatch | None, published_ms: int) -> list[Sent]:
        """Vectors, to the topics of their targets."""
        if vectors is None:
            return []
        sent = []
        wanted = set(vectors.targets)
        for target in sorted(wanted):
            alone = len(wanted) == 1
            part = vectors if alone else vectors.only(np.array(vectors.targets) == target)
            sent += await self._send_target(target, part, published_ms)
        return sent

    async def _send_target(
        self, target: int, vectors: VectorBatch, published_ms: int
    ) -> list[Sent]:
        name = self.encoder.platforms[target]
        pairs = self.encoder.encode(name, vectors, published_ms)
        topic, headers = self._settings.output_topic(name), self.encoder.headers
        chosen = partitions_of([key for key, _ in pairs], self._publisher.partitions[topic])
        records: dict[int, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
        for owner, partition, (key, value) in zip(
            vectors.partitions.tolist(), chosen, pairs, strict=True
        ):
            records[owner][partition].append((key, value, published_ms, headers))
        return [await self.owned.of(owner).send(topic, r) for owner, r in records.items()]

    async def tombstones(self, tombstones: Sequence[Tombstone]) -> list[Sent]:
        """Take vectors of local ids back."""
        sent = []
        now = self._clock_ms()
        for target, local_id, owner in tombstones:
            name = self.encoder.platforms[target]
            key, value, headers = self.encoder.tombstone(name, local_id)
            topic = self._settings.output_topic(name)
            records = by_partition([(key, value, now, headers)], self._publisher.partitions[topic])
            sent.append(await self.owned.of(owner).send(topic, records))
        return sent

    async def dead_letters(self, refused: Sequence[Refused]) -> Sent:
        """What of the log couldn't be applied."""
        now = self._clock_ms()
        letters = [self._letter(one, now) for one in refused]
        return await self._publisher.send(self._settings.deadletter.topic, records_of(letters))

    def _letter(self, refused: Refused, now: int) -> DeadLetter:
        return make_letter(
            error=RecordError(refused.reason, refused.field, refused.problem, refused.remedy),
            platform="",
            source=(self._settings.events.topic, refused.partition, refused.offset),
            timestamp_ms=-1,
            key=refused.key,
            raw=refused.value,
            seen_ms=now,
        )
