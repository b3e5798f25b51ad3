"""Intake as a whole: a batch of any source topic -> log records, dead letters, counts."""

from __future__ import annotations

from streams.intake.readers.base import Reader
from streams.intake.readers.consent import ConsentReader
from streams.intake.readers.erasure import ErasureReader
from streams.intake.readers.events import EventReader
from streams.intake.readers.items import ItemReader
from streams.intake.readers.links import LinkReader
from streams.intake.source import IntakeResult, SourceBatch
from streams.settings import Settings


class Intake:
    """Decodes, checks and keys what the platforms send. No state, no I/O, no clock.

    What a record becomes depends on its topic, key, value, Kafka timestamp and position, and
    on the clock only where its time is compared with the future; so it doesn't matter by which
    partitioner its producer chose the partition.

    Args:
        settings: the worker's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._readers: dict[str, Reader] = {
            topic: EventReader(settings, platform, action)
            for topic, (platform, action) in settings.event_topics().items()
        }
        for topic, platform in settings.link_topics().items():
            self._readers[topic] = LinkReader(settings, platform)
        for topic, platform in settings.item_topics().items():
            self._readers[topic] = ItemReader(settings, platform)
        self._readers[settings.consent.topic] = ConsentReader(settings)
        self._readers[settings.erasure.topic] = ErasureReader(settings)

    def process(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """Everything that ``batch`` becomes.

        Args:
            batch: records of one partition, in order.
            now_ms: the worker's clock, milliseconds since 1970.

        Raises:
            KeyError: no platform of the settings has that topic.
        """
        reader = self._readers.get(batch.topic)
        if reader is None:
            raise KeyError(f"{batch.topic!r} is no topic of the settings that intake reads")
        return reader.read(batch, now_ms)
