"""Intake on Kafka: platforms' batches in, log records and dead letters out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.dead_letters.repeats import UNKNOWN, Repeats, is_by_clock, may_be_repeated
from streams.intake.intake import Intake
from streams.intake.source import IntakeResult, SourceBatch
from streams.metrics.metrics import Metrics
from streams.metrics.registry import add
from streams.runtime.dead_letters.lookup import LetterLookup
from streams.runtime.dead_letters.topic import records_of
from streams.runtime.pipelines.pipeline import Pipeline
from streams.runtime.sending.publisher import NO_HEADERS, KeyedPublisher, Record, Sent
from streams.runtime.transport.fetched_batch import FetchedBatch
from streams.settings import Settings

HELD_BYTES: Final = 32 * 2**20
"""Bytes of letters that may wait to be looked up; beyond that the next batch waits too."""


@dataclass(slots=True)
class IntakeEffects:
    """What intake wants sent.

    Attributes:
        records: log records, each source partition's in order.
        first: dead letters that have to be there before the records.
        letters: other dead letters, of records that are new.
        repeated: dead letters of records that may have been read before.
        repeats: what is known of the assignment that they were read in.
        results: what each batch became, for the metrics.
    """

    records: list[Record] = field(default_factory=list)
    first: list[DeadLetter] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    repeated: list[DeadLetter] = field(default_factory=list)
    repeats: Repeats = UNKNOWN
    results: list[IntakeResult] = field(default_factory=list)


class IntakePipeline(Pipeline[IntakeEffects]):
    """Forwards what the platforms send into the log.

    Args:
        settings: the worker's settings.
        publisher: where records go.
        lookup: knows which letters have been written before.
        metrics: what happened.
        clock_ms: the wall clock.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: KeyedPublisher,
        lookup: LetterLookup,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._intake = Intake(settings)
        self._settings = settings
        self._publisher = publisher
        self._lookup = lookup
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._held_bytes = 0

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
            self._add(effects, self._intake.process(source, now), fetched.repeats)
        return effects

    @staticmethod
    def _add(effects: IntakeEffects, result: IntakeResult, repeats: Repeats) -> None:
        effects.records += [
            (key, value, stamp_ms, NO_HEADERS) for key, value, stamp_ms in result.records
        ]
        for letter in result.dead:
            if is_by_clock(letter):
                effects.first.append(letter)
            elif may_be_repeated(letter, repeats.ends):
                effects.repeated.append(letter)
            else:
                effects.letters.append(letter)
        effects.repeats = repeats
        effects.results.append(result)

    async def perform(self, result: IntakeEffects) -> Coroutine[Any, Any, None] | None:
        """Send, wait for the acknowledgements, count.

        Returns:
            What writes the letters that may be there already: it may have to read the whole topic,
            and the next batch needn't wait for it unless too much waits.
        """
        if result.first:
            await self._write_lacking(result.first, result.repeats)
        sent = [
            await self._publisher.send(self._settings.events.topic, result.records),
            await self._send_letters(result.letters),
        ]
        for one in sent:
            await one.wait()
        self._count(result)
        if not result.repeated:
            return None
        rest = self._complete(result.repeated, result.repeats)
        if self._held_bytes < HELD_BYTES:
            return rest
        await rest
        return None

    async def _complete(self, repeated: list[DeadLetter], repeats: Repeats) -> None:
        """Write letters that nothing waits for but the commit."""
        size = sum(len(letter.raw or b"") for letter in repeated)
        self._held_bytes += size
        await self._write_lacking(repeated, repeats)
        self._held_bytes -= size

    async def _write_lacking(self, letters: list[DeadLetter], repeats: Repeats) -> None:
        """Write the letters of which the topic doesn't have the position yet."""
        if any(may_be_repeated(letter, repeats.ends) for letter in letters):
            letters = await self._lookup.missing(letters, repeats)
        await (await self._send_letters(letters)).wait()
        self._count_letters(letters)

    def _count(self, result: IntakeEffects) -> None:
        self._count_letters(result.letters)
        for part in result.results:
            add(self._metrics.events_read, part.events)
            for (_, reason), count in part.ignored.items():
                self._metrics.events_skipped.labels(reason).inc(count)

    def _count_letters(self, letters: list[DeadLetter]) -> None:
        add(self._metrics.dead_letters, Counter(letter.reason for letter in letters))

    async def _send_letters(self, letters: list[DeadLetter]) -> Sent:
        return await self._publisher.send(self._settings.deadletter.topic, records_of(letters))
