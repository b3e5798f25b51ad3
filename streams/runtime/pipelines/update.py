"""The update on Kafka: log batches in; changelog, vectors and forwarded records out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streams.effects.effects import Effects, Erased, LogBatch
from streams.effects.order import Part, phases_of
from streams.metrics.metrics import Metrics
from streams.metrics.registry import add
from streams.publish.encode import VectorEncoder
from streams.runtime.dead_letters.sweep import LetterSweeper
from streams.runtime.pipelines.effects_sender import EffectsSender
from streams.runtime.pipelines.pipeline import Pipeline
from streams.runtime.sending.publisher import Sent
from streams.runtime.table.user_store import UserStore
from streams.runtime.transport.fetched_batch import FetchedBatch
from streams.update.updater import Updater

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
        updater: the pure update.
        store: the local store.
        sender: sends what a batch wants sent.
        sweeper: takes erased ids out of the dead letters.
        metrics: what happened.
        clock_ms: the wall clock.
    """

    def __init__(
        self,
        updater: Updater,
        store: Callable[[], UserStore],
        sender: EffectsSender,
        sweeper: LetterSweeper,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._updater = updater
        self._store = store
        self._sender = sender
        self._sweeper = sweeper
        self._metrics = metrics
        self._clock_ms = clock_ms

    def compute(self, batches: list[FetchedBatch]) -> Computed:
        """Apply the batches of all partitions together."""
        effects = self._updater.process(_of_log(batches), self._store())
        return Computed(effects, self._updater.slab.batch)

    def users(self, batch: FetchedBatch) -> int:
        """Users of a batch: so many rows of the slab it needs, and values and vectors it makes."""
        return len(set(batch.keys))

    def renew(self, partitions: Sequence[int], users: int) -> Computed | None:
        """Bring the next users over to the bundle in force; None where all are."""
        effects = self._updater.renew(partitions, self._store(), users)
        return None if effects is None else Computed(effects, self._updater.slab.batch)

    def use(self, encoder: VectorEncoder) -> None:
        """Another bundle from the next batch on; nothing is on its way."""
        self._sender.encoder = encoder

    def beforehand(self, batches: list[FetchedBatch]) -> Iterator[Computed]:
        """Users of another bundle come over in small numbers, not all of them in their batch."""
        stale = self._updater.stale(_of_log(batches), self._store())
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
        await self._sender.owned.renew()
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
        effects, sender = result.effects, self._sender
        match part:
            case Part.FORWARDS:
                return [await sender.forwards(effects.forwards)]
            case Part.DECLARED:
                return await sender.changelog(effects.declared)
            case Part.CHANGELOG:
                return await sender.changelog(effects.changelog)
            case Part.DEAD_LETTERS:
                add(self._metrics.dead_letters, Counter(r.reason for r in effects.refused))
                return [await sender.dead_letters(effects.refused)]
            case Part.VECTORS:
                return await sender.vectors(effects.vectors, published_ms)
            case Part.TOMBSTONES:
                return await sender.tombstones(effects.tombstones)
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

    def finished(self, batches: list[FetchedBatch], seconds: float) -> None:
        """Count the time from the computation to the last acknowledgement."""
        self._metrics.batch_seconds.observe(seconds)

    def _count(self, effects: Effects, published_ms: int) -> None:
        metrics, counts = self._metrics, effects.counts
        platforms = self._updater.catalogue.platforms
        actions = tuple(self._updater.action_index)
        for (platform, action), count in counts.applied.items():
            metrics.events_applied.labels(platforms[platform], actions[action]).inc(count)
        add(metrics.events_skipped, counts.skipped)
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
        if (vectors := effects.vectors) is None:
            return
        for target, count in Counter(vectors.targets).items():
            metrics.vectors_published.labels(platforms[target]).inc(count)
        sources_ms = vectors.source_ms[vectors.source_ms > 0]
        metrics.event_to_vector_seconds.observe_many((published_ms - sources_ms) / 1000.0)


def _of_log(batches: list[FetchedBatch]) -> list[LogBatch]:
    return [LogBatch(b.partition, b.offsets, b.keys, b.values) for b in batches]
