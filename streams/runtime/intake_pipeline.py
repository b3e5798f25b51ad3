"""Intake on Kafka: platforms' batches in, log records and dead letters out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streams.intake import deadletter
from streams.intake.intake import Intake
from streams.intake.source import IntakeResult, SourceBatch
from streams.output.metrics import Metrics
from streams.runtime.pipeline import Pipeline
from streams.runtime.publisher import NO_HEADERS, Publisher, Record, Sent, by_partition
from streams.runtime.transport import FetchedBatch
from streams.settings import Settings


@dataclass(slots=True)
class IntakeEffects:
    """What intake wants sent.

    Attributes:
        records: log records, each source partition's in order.
        letters: dead letters.
        results: what each batch became, for the metrics.
    """

    records: list[Record] = field(default_factory=list)
    letters: list[Record] = field(default_factory=list)
    results: list[IntakeResult] = field(default_factory=list)


class IntakePipeline(Pipeline[IntakeEffects]):
    """Forwards what the platforms send into the log.

    Args:
        settings: the worker's settings.
        publisher: where records go.
        metrics: what happened.
        partitions: partitions of every topic, by name.
        clock_ms: the wall clock.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        metrics: Metrics,
        partitions: dict[str, int],
        clock_ms: Callable[[], int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._intake = Intake(settings)
        self._settings = settings
        self._publisher = publisher
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._partitions = partitions

    def compute(self, batches: list[FetchedBatch]) -> IntakeEffects:
        """Decode, check and key."""
        effects = IntakeEffects()
        now = self._clock_ms()
        for fetched in batches:
            source = SourceBatch(
                fetched.topic,
                fetched.partition,
                fetched.offsets,
                fetched.timestamps_ms,
                fetched.keys,
                fetched.values,
                fetched.headers,
            )
            result = self._intake.process(source, now)
            effects.records += [
                (key, value, stamp_ms, NO_HEADERS) for key, value, stamp_ms in result.records
            ]
            effects.letters += [
                (deadletter.letter_key(letter), deadletter.encode(letter), now, NO_HEADERS)
                for letter in result.dead
            ]
            effects.results.append(result)
        return effects

    async def perform(self, result: IntakeEffects) -> None:
        """Send, wait for the acknowledgements, count."""
        sent = [
            await self._send(self._settings.events.topic, result.records),
            await self._send(self._settings.deadletter.topic, result.letters),
        ]
        for one in sent:
            await one.wait()
        for part in result.results:
            for (platform, action), count in part.events.items():
                self._metrics.events_read.labels(platform, action).inc(count)
            for (_, reason), count in part.rejected.items():
                self._metrics.dead_letters.labels(reason).inc(count)
            for (_, reason), count in part.ignored.items():
                self._metrics.events_skipped.labels(reason).inc(count)

    async def _send(self, topic: str, records: list[Record]) -> Sent:
        return await self._publisher.send(topic, by_partition(records, self._partitions[topic]))
