"""Records of a platform's items topic, as intake sees them: only what is wrong matters here.

Every worker reads the items themselves by a broadcast reader, from the beginning at each
start. Intake reads the topic once, as a group, so that a bad record makes one dead letter.
"""

from __future__ import annotations

from streams.intake.decode import explain
from streams.intake.readers.base import REFUSED, reject
from streams.intake.readers.item_records import parse_item
from streams.intake.source import IntakeResult, SourceBatch
from streams.settings import Settings


class ItemReader:
    """Checks the items of one platform.

    Args:
        settings: the worker's settings.
        platform: name of the platform.
    """

    def __init__(self, settings: Settings, platform: str) -> None:
        self._platform = platform
        self._max_id_bytes = settings.intake.max_id_bytes

    def read(self, batch: SourceBatch, now_ms: int) -> IntakeResult:
        """The dead letters of ``batch``; an item makes no log record."""
        result = IntakeResult(seen=len(batch.values))
        for place, (key, value) in enumerate(zip(batch.keys, batch.values, strict=True)):
            try:
                parse_item(key, value, self._max_id_bytes)
            except REFUSED as error:
                reject(result, explain(error, value or b""), self._platform, batch, place, now_ms)
            else:
                result.accepted += 1
        return result
