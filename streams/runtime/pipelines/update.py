"""The update on Kafka: log batches in; changelog, vectors and forwarded records out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from streams.effects.effects import Effects, Erased, LogBatch, Refused, Tombstone, VectorBatch
from streams.effects.order import Part, phases_of
from streams.errors import RecordError
from streams.intake.letters import dead_letter
from streams.log import codec
from streams.log.partition import partitions_of
from streams.metrics.metrics import Metrics
from streams.publish.encode import VectorEncoder
from streams.runtime.dead_letters.sweep import LetterSweeper
from streams.runtime.pipelines.pipeline import Pipeline
from streams.runtime.rebalance.fence import PartitionPublishers
from streams.runtime.sending.publisher import NO_HEADERS, Publisher, Record, Sent, by_partition
from streams.runtime.table.user_store import UserStore
from streams.runtime.transport.fetched_batch import FetchedBatch
from streams.settings import Settings
from streams.update.updater import Updater

Entries = list[tuple[str, bytes | None]]
COME_OVER: Final = 200
"""Users of another bundle that are brought over at once: about 0.1 s without a look at the event
loop, with windows of 64 events."""


@dataclass(slots=True)
class Computed:
    """Effects of some batches, and the slab's number for them."""

    effects: Effects
    batch: int


class UpdatePipeline(Pipeline[Computed]):
    """Applies the log to the users of the assigned partitions.

    Args:
        settings: the worker's settings.
        updater: the pure update.
        store: the local store.
        encoder: encoder of the vectors.
        publisher: where forwarded records and dead letters go.
        owned: where a log partition's changelog and vectors go.
        sweeper: takes erased ids out of the dead letters.
        metrics: what happened.
        changelog: name of the table's changelog topic.
        partitions: partitions of every topic, by name.
        actions: the contract's actions.
        clock_ms: the wall clock.
    """

    def __init__(
        self,
        settings: Settings,
        updater: Updater,
        store: Callable[[], UserStore],
        encoder: VectorEncoder,
        publisher: Publisher,
        owned: PartitionPublishers,
        sweeper: LetterSweeper,
        metrics: Metrics,
        changelog: str,
        partitions: dict[str, int],
        actions: tuple[str, ...],
        clock_ms: Callable[[], int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._updater = updater
        self._store = store
        self._encoder = encoder
        self._publisher = publisher
        self._owned = owned
        self._sweeper = sweeper
        self._metrics = metrics
        self._changelog = changelog
        self._partitions = partitions
        self._actions = actions
        self._clock_ms = clock_ms

    def compute(self, batches: list[FetchedBatch]) -> Computed:
        """Apply the batches of all partitions together."""
        joined = [LogBatch(b.partition, b.offsets, b.keys, b.values) for b in batches]
        effects = self._updater.process(joined, self._store())
        return Computed(effects, self._updater.slab.batch)

    def users(self, batch: FetchedBatch) -> int:
        """Users of a batch: so many rows of the slab it needs, and values and vectors it makes."""
        return len(set(batch.keys))

    def renew(self, partitions: Sequence[int], users: int) -> Computed | None:
        """Bring the next users over to the bundle in force; None where all are."""
        effects = self._updater.renew(partitions, self._store(), users)
        return None if effects is None else Computed(effects, self._updater.slab.batch)

    def use(self, encoder: VectorEncoder, actions: tuple[str, ...]) -> None:
        """Another bundle from the next batch on; nothing is on its way."""
        self._encoder = encoder
        self._actions = actions

    def beforehand(self, batches: list[FetchedBatch]) -> Iterator[Computed]:
        """Users of another bundle come over in small numbers, not all of them in their batch."""
        joined = [LogBatch(b.partition, b.offsets, b.keys, b.values) for b in batches]
        stale = self._updater.stale(joined, self._store())
        if sum(map(len, stale.values())) <= COME_OVER:
            return
        for partition, keys in stale.items():
            for start in range(0, len(keys), COME_OVER):
                some = keys[start : start + COME_OVER]
                effects = self._updater.bring_over(partition, some, self._store())
                yield Computed(effects, self._updater.slab.batch)

    async def perform(self, result: Computed) -> Coroutine[Any, Any, None] | None:
        """Take the batch through its phases; each waits for the one before.

        Returns:
            What takes erased ids out of the dead letters, where any were erased: it reads all of
            them, and the next batch needn't wait for it.
        """
        await self._owned.renew()
        last_offsets: dict[int, int] = {}
        published_ms = self._clock_ms()
        for phase in phases_of(result.effects):
            under_way = [
                (part, sent)
                for part in phase
                for sent in await self._begin(part, result, last_offsets, published_ms)
            ]
            for part, sent in under_way:
                offsets = await sent.wait()
                if part in (Part.DECLARED, Part.CHANGELOG):
                    last_offsets.update(offsets)
        erased = result.effects.erased
        return self._sweep(erased) if erased else None

    async def _sweep(self, erased: Sequence[Erased]) -> None:
        self._metrics.dead_letters_removed.inc(await self._sweeper.sweep(erased))

    async def _begin(
        self, part: Part, result: Computed, last_offsets: dict[int, int], published_ms: int
    ) -> list[Sent]:
        """Do a part of a batch's effects; what is sent and not yet acknowledged."""
        effects = result.effects
        match part:
            case Part.FORWARDS:
                return [await self._send_forwards(effects)]
            case Part.DECLARED:
                return await self._send_changelog(effects.declared)
            case Part.CHANGELOG:
                return await self._send_changelog(effects.changelog)
            case Part.DEAD_LETTERS:
                return [await self._send_letters(effects.refused)]
            case Part.VECTORS:
                return await self._send_vectors(effects.vectors, published_ms)
            case Part.TOMBSTONES:
                return await self._send_tombstones(effects.tombstones)
            case Part.STORE:
                self._write_store(result, last_offsets)
            case Part.FINISH:
                self._count(effects, published_ms)
            case Part.SWEEP:
                pass  # done behind the batch, before it is acknowledged
        return []

    def _write_store(self, result: Computed, last_offsets: dict[int, int]) -> None:
        store = self._store()
        declared = result.effects.declared
        for partition, entries in result.effects.changelog.items():
            if both := [*declared.get(partition, ()), *entries]:
                store.put_many(partition, both, last_offsets.get(partition))
        self._updater.slab.flushed(result.batch)

    async def _send_changelog(self, changes: dict[int, Entries]) -> list[Sent]:
        now = self._clock_ms()
        sent = []
        for partition, entries in changes.items():
            records: list[Record] = [
                (key.encode(), value, now, NO_HEADERS) for key, value in entries
            ]
            publisher = self._owned.of(partition)
            sent.append(await publisher.send(self._changelog, {partition: records}))
        return sent

    async def _send_forwards(self, effects: Effects) -> Sent:
        now = self._clock_ms()
        records: list[Record] = [
            (key.encode(), codec.encode(record), now, NO_HEADERS)
            for key, record in effects.forwards
        ]
        topic = self._settings.events.topic
        return await self._publisher.send(topic, by_partition(records, self._partitions[topic]))

    async def _send_vectors(self, vectors: VectorBatch | None, published_ms: int) -> list[Sent]:
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
        name = self._encoder.platforms[target]
        pairs = self._encoder.encode(name, vectors, published_ms)
        topic, headers = self._settings.output_topic(name), self._encoder.headers
        chosen = partitions_of([key for key, _ in pairs], self._partitions[topic])
        records: dict[int, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
        for owner, partition, (key, value) in zip(
            vectors.partitions.tolist(), chosen, pairs, strict=True
        ):
            records[owner][partition].append((key, value, published_ms, headers))
        return [await self._owned.of(owner).send(topic, r) for owner, r in records.items()]

    async def _send_tombstones(self, tombstones: list[Tombstone]) -> list[Sent]:
        sent = []
        now = self._clock_ms()
        for target, local_id, owner in tombstones:
            name = self._encoder.platforms[target]
            key, value, headers = self._encoder.tombstone(name, local_id)
            topic = self._settings.output_topic(name)
            record: Record = (key, value, now, headers)
            records = by_partition([record], self._partitions[topic])
            sent.append(await self._owned.of(owner).send(topic, records))
        return sent

    async def _send_letters(self, refused: list[Refused]) -> Sent:
        now = self._clock_ms()
        letters: list[Record] = []
        for r in refused:
            letter = self._letter(r, now)
            key, value = dead_letter.letter_key(letter), dead_letter.encode(letter)
            letters.append((key, value, now, NO_HEADERS))
            self._metrics.dead_letters.labels(r.reason).inc()
        topic = self._settings.deadletter.topic
        return await self._publisher.send(topic, by_partition(letters, self._partitions[topic]))

    def _letter(self, refused: Refused, now: int) -> dead_letter.DeadLetter:
        return dead_letter.make_letter(
            error=RecordError(refused.reason, refused.field, refused.problem, refused.remedy),
            platform="",
            source=(self._settings.events.topic, refused.partition, refused.offset),
            timestamp_ms=-1,
            key=refused.key,
            raw=refused.value,
            seen_ms=now,
        )

    def finished(self, batches: list[FetchedBatch], seconds: float) -> None:
        """Count the time from the computation to the last acknowledgement."""
        self._metrics.batch_seconds.observe(seconds)

    def _count(self, effects: Effects, published_ms: int) -> None:
        metrics, counts, platforms = self._metrics, effects.counts, self._encoder.platforms
        for (platform, action), count in counts.applied.items():
            metrics.events_applied.labels(platforms[platform], self._actions[action]).inc(count)
        for reason, count in counts.skipped.items():
            metrics.events_skipped.labels(reason).inc(count)
        for platform, count in counts.unknown_items.items():
            metrics.unknown_items.labels(platforms[platform]).inc(count)
        metrics.records_forwarded.inc(counts.identity["forwarded"])
        metrics.users_merged.inc(counts.identity["merged"])
        metrics.users_erased.inc(counts.identity["erased"])
        metrics.user_updates.inc(counts.users)
        metrics.users_rebuilt.inc(counts.renewed)
        for graph, times in (("step", effects.steps), ("migrate", effects.migrations)):
            metrics.onnx_batch_users.observe_many(times.sizes, graph)
            metrics.onnx_seconds.observe_many(times.seconds, graph)
        vectors = effects.vectors
        if vectors is None:
            return
        for target, count in Counter(vectors.targets).items():
            metrics.vectors_published.labels(platforms[target]).inc(count)
        known = vectors.source_ms > 0
        metrics.event_to_vector_seconds.observe_many(
            (published_ms - vectors.source_ms[known]) / 1000.0
        )
