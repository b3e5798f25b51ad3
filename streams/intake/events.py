"""Events of one platform's topic -> records of the log. The hot path of intake."""

from __future__ import annotations

from collections import Counter
from typing import Final

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.decode import DECODE_ERRORS, explain
from streams.intake.native import NativeEvent, decode_native
from streams.intake.reader import reject
from streams.intake.route import Router
from streams.intake.source import IntakeResult, SourceBatch
from streams.intake.validate import action_of, items_of, text_id, time_ms_of
from streams.interest.log import Event, Via, encode, stable_hash
from streams.settings import Settings

Records = list[tuple[bytes, bytes, int]]
REFUSED: Final = (RecordError, *DECODE_ERRORS)


class EventReader:
    """Reads the events of one topic.

    Args:
        settings: the worker's settings.
        platform: name of the topic's platform.
        action: default action of its records, None where they name it themselves.
    """

    def __init__(self, settings: Settings, platform: str, action: str | None) -> None:
        self._platform = platform
        self._action = action
        self._max_id_bytes = settings.intake.max_id_bytes
        self._max_items = settings.intake.max_items
        self._max_future_ms = round(settings.window.max_future_s * 1000)
        linked = settings.platform(platform).ids == "linked"
        self._router = Router(platform, linked=linked, max_bytes=self._max_id_bytes)

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """The log records and dead letters of ``batch``."""
        result = IntakeResult(seen=len(batch.values))
        records = result.records
        counts: Counter[str] = Counter()
        latest_ms = now_ms + self._max_future_ms
        for place, value in enumerate(batch.values):
            if not value:
                result.ignored[self._platform, reasons.EMPTY_VALUE] += 1
                continue
            before = len(records)
            try:
                action = self._accept(decode_native(value), batch, place, latest_ms, records)
            except REFUSED as error:
                reject(result, explain(error, value), self._platform, batch, place, now_ms)
            else:
                counts[action] += len(records) - before
        result.accepted = result.seen - len(result.dead) - result.ignored.total()
        result.events.update({(self._platform, action): n for action, n in counts.items()})
        return result

    def _accept(
        self, event: NativeEvent, batch: SourceBatch, place: int, latest_ms: int, records: Records
    ) -> str:
        """Add the log records of one source record, all or none; return their action."""
        key = self._router.key(event, batch.keys[place])
        action = action_of(event.action, self._action)
        items = items_of(event, self._max_id_bytes, self._max_items)
        source_ms = batch.timestamps_ms[place]
        time_ms = time_ms_of(event.time, source_ms, latest_ms)
        if source_ms < 0:  # a record without a timestamp counts as sent now
            source_ms = latest_ms - self._max_future_ms
        identity = self._identity(event, key, action, time_ms, items)
        key_bytes = key.encode()
        for sub, item in enumerate(items):
            via = Via(batch.topic, batch.partition, batch.offsets[place], sub)
            digest = stable_hash(f"{identity}\0{sub}")
            entry = Event(via, self._platform, action, item, time_ms, digest, source_ms)
            records.append((key_bytes, encode(entry), source_ms))
        return action

    def _identity(
        self, event: NativeEvent, key: str, action: str, time_ms: int, items: list[str]
    ) -> str:
        """What makes the event the same one when it comes again: its id, else its fields."""
        if event.event_id is not None:
            return f"i\0{self._platform}\0{text_id(event.event_id, 'event_id', self._max_id_bytes)}"
        return "\0".join(("f", self._platform, key, action, str(time_ms), *items))
