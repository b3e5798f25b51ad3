"""Timestamps of log records, and the count of rejections."""

from __future__ import annotations

import pytest

from streams.errors import RecordError
from streams.intake.readers.base import DAY_MS, LogTime, reject
from streams.intake.source import IntakeResult
from streams.settings import Settings
from tests.unit.streams.intake.conftest import NOW_MS, make_batch


@pytest.mark.parametrize(
    ("kafka_ms", "source_ms", "log_ms"),
    [
        (NOW_MS, NOW_MS, NOW_MS),
        (NOW_MS - 3 * DAY_MS, NOW_MS - 3 * DAY_MS, NOW_MS - 3 * DAY_MS),
        # Older than half of the log's retention (7 days): it would be deleted unread.
        (NOW_MS - 4 * DAY_MS, NOW_MS - 4 * DAY_MS, NOW_MS),
        (0, 0, NOW_MS),
        # Brokers refuse timestamps far ahead.
        (NOW_MS + 1, NOW_MS + 1, NOW_MS),
        (-1, NOW_MS, NOW_MS),
    ],
)
def test_timestamps(settings: Settings, kafka_ms: int, source_ms: int, log_ms: int) -> None:
    assert LogTime(settings).of(kafka_ms, NOW_MS) == (source_ms, log_ms)


def test_a_rejection_is_a_letter_and_a_count() -> None:
    result = IntakeResult()
    batch = make_batch("video.click", [b"a", b"b"])
    reject(result, RecordError("no_item", "item_id", "", "send it"), "video", batch, 1, NOW_MS)
    assert result.rejected == {("video", "no_item"): 1}
    assert [(letter.offset, letter.raw) for letter in result.dead] == [(101, b"b")]
