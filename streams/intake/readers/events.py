"""Events of one platform's topic -> records of the log. The hot path of intake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.checks import (
    action_of,
    corrected_ms_of,
    items_of,
    said_ms,
    text_id,
    time_ms_of,
)
from streams.intake.dead_letters.redrive_header import first_timestamp_ms
from streams.intake.decode import explain
from streams.intake.formats import FORMATS
from streams.intake.formats.native import NativeEvent, decode_native
from streams.intake.readers.base import REFUSED, LogTime, letter_of
from streams.intake.route import Router
from streams.intake.source import IntakeResult, SourceBatch
from streams.log.codec import encode_event
from streams.log.keys import stable_hash
from streams.settings import Settings


class EventReader:
    """Reads the events of one topic.

    Args:
        settings: the worker's settings.
        platform: name of the topic's platform.
        action: default action of its records, None where they name it themselves.
    """

    def __init__(self, settings: Settings, platform: str, action: str | None) -> None:
        configured = settings.platform(platform)
        self._platform = platform
        self._action = action
        self._format = FORMATS.get(configured.format)
        self._max_id_bytes = settings.intake.max_id_bytes
        self._max_items = settings.intake.max_items
        self._max_future_ms = round(settings.window.max_future_s * 1000)
        self._log_time = LogTime(settings)
        self._router = Router(configured, self._max_id_bytes)

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """The log records and dead letters of ``batch``."""
        result = IntakeResult(seen=len(batch.values))
        records = result.records
        actions: list[str] = []  # of each log record
        adapter = self._format
        for index, value in enumerate(batch.values):
            if not value:
                result.ignored[self._platform, reasons.EMPTY_VALUE] += 1
                continue
            first = len(records)
            try:
                if adapter is None:
                    events: Sequence[NativeEvent] = (decode_native(value),)
                else:
                    events = adapter.decode(value, batch.headers_of(index))
                for event in events:
                    action = self._accept(event, batch, index, now_ms, first, records)
                    actions += [action] * (len(records) - len(actions))
            except REFUSED as error:
                del records[first:], actions[first:]
                explained = self._explained(error, value)
                result.dead.append(letter_of(explained, self._platform, batch, index, now_ms))
                continue
            if len(records) == first:
                result.ignored[self._platform, reasons.OTHER_EVENT] += 1
        result.accepted = result.seen - len(result.dead) - result.ignored.total()
        result.events.update({(self._platform, a): n for a, n in Counter(actions).items()})
        return result

    def _explained(self, error: Exception, value: bytes) -> RecordError:
        explained = explain(error, value)
        return explained if self._format is None else self._format.in_its_words(explained)

    def _accept(
        self,
        event: NativeEvent,
        batch: SourceBatch,
        index: int,
        now_ms: int,
        first: int,
        records: list[tuple[bytes, bytes, int]],
    ) -> str:
        """Add the log records of one event, all or none; return their action.

        ``first`` is where the source record's log records begin: an index in it (``via.sub``)
        is counted over all of its events.
        """
        key = self._router.key(event, batch.keys[index])
        action = action_of(event.action, self._action)
        items = items_of(event, self._max_id_bytes, self._max_items)
        kafka_ms = first_ms = batch.timestamps_ms[index]
        if batch.headers is not None and batch.headers[index]:
            first_ms = first_timestamp_ms(batch.headers[index], kafka_ms)
        time_ms = self._time(event, first_ms, now_ms)
        identity = self._identity(event, key, action, time_ms, items)
        source_ms, log_ms = self._log_time.of(kafka_ms, now_ms)
        key_bytes = key.encode()
        partition, offset = batch.partition, batch.offsets[index]
        for sub, item in enumerate(items, len(records) - first):
            digest = stable_hash(f"{identity}\0{sub}" if sub else identity)
            names = batch.topic, self._platform, action, item
            value = encode_event(names, sub, partition, offset, time_ms, digest, source_ms)
            records.append((key_bytes, value, log_ms))
        return action

    def _time(self, event: NativeEvent, kafka_ms: int, now_ms: int) -> int:
        latest_ms = now_ms + self._max_future_ms
        if event.sent_at is None or event.time is None:
            return time_ms_of(event.time, kafka_ms, latest_ms)
        return corrected_ms_of(event, kafka_ms, latest_ms)

    def _identity(
        self, event: NativeEvent, key: str, action: str, time_ms: int, items: list[str]
    ) -> str:
        """What makes the event the same one when it comes again: its id, else its fields."""
        if event.event_id is not None:
            event_id = text_id(event.event_id, "event_id", self._max_id_bytes)
            return f"i\0{self._platform}\0{event_id}"
        if event.sent_at is not None and event.time is not None:
            time_ms = said_ms(event.time)  # the correction may be another when it comes again
        return "\0".join(("f", self._platform, key, action, str(time_ms), *items))
