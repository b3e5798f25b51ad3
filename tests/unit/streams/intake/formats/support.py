"""Records of other formats, and intake with platforms that send them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from streams.intake.formats import FORMATS
from streams.intake.formats.base import Headers
from streams.intake.intake import Intake
from streams.intake.source import IntakeResult, SourceBatch
from streams.log.codec import decode
from streams.log.records import Event
from streams.settings import parse_settings

NOW_MS = 1_795_342_272_123  # 2026-11-22T10:11:12.123Z
THEN = "2026-11-22T10:00:00.5Z"
THEN_MS = 1_795_341_600_500
SETTINGS = parse_settings(
    {
        "platforms": [
            {"name": name, "ids": "linked", "format": name, "topics": {"any": name}}
            for name in FORMATS
        ]
    }
)
INTAKE = Intake(SETTINGS)


def take(form: str, value: Any, headers: Headers = (), key: bytes | None = None) -> IntakeResult:
    """What a record of a platform with that format becomes."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    batch = SourceBatch(form, 0, [7], [NOW_MS - 1], [key], [raw])
    return INTAKE.process(dataclasses.replace(batch, headers=[headers]), NOW_MS)


def events(result: IntakeResult) -> list[tuple[str, str, str, int]]:
    """(key, action, item, time in ms) of every log event; each place in the record is new."""
    found = [(key.decode(), decode(value)) for key, value, _ in result.records]
    assert [record.via.sub for _, record in found] == list(range(len(found)))
    assert result.dead == []
    return [
        (key, record.action, record.item, record.time_ms)
        for key, record in found
        if isinstance(record, Event)
    ]


def hashes(result: IntakeResult) -> list[int]:
    """Identity of every log event."""
    found = [decode(value) for _, value, _ in result.records]
    return [record.event_hash for record in found if isinstance(record, Event)]


def problem(result: IntakeResult) -> tuple[str, str]:
    """Reason and field of the one dead letter."""
    [letter] = result.dead
    assert letter.remedy
    assert result.records == []
    return letter.reason, letter.field


def is_ignored(result: IntakeResult) -> bool:
    """Whether the record had no effect, and was counted as such."""
    assert (result.records, result.dead) == ([], [])
    return {reason for _, reason in result.ignored} == {"other_event"}
