"""Timestamps of log records, and dead letters."""

from __future__ import annotations

import pytest

from streams.errors import RecordError
from streams.intake.readers.base import DAY_MS, LogTime, letter_of
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


def test_a_dead_letter_names_its_record() -> None:
    batch = make_batch("video.click", [b"a", b"b"])
    error = RecordError("no_item", "item_id", "", "send it")
    letter = letter_of(error, "video", batch, 1, NOW_MS)
    assert (letter.platform, letter.reason) == ("video", "no_item")
    assert (letter.topic, letter.offset, letter.raw) == ("video.click", 101, b"b")
