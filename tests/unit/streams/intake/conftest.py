"""Shared pieces of the intake tests: settings, batches, and readable log records."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streams.intake.intake import Intake
from streams.intake.source import IntakeResult, SourceBatch
from streams.log import codec
from streams.log.records import LogRecord
from streams.settings import Settings, parse_settings

NOW_MS = 1_795_342_272_123
"""2026-11-22T12:51:12.123Z: the clock of every test."""

Feed = Callable[..., IntakeResult]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """A shared platform, a linked one, and one whose topic carries all actions."""
    return parse_settings(
        {
            "platforms": [
                {"name": "video"},
                {"name": "shop", "ids": "linked"},
                {"name": "news", "topics": {"any": "news.all"}},
            ],
            "intake": {"max_id_bytes": 64, "max_items": 5},
        }
    )


def as_bytes(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()


def make_batch(
    topic: str,
    values: Sequence[Any],
    keys: Sequence[bytes | None] | None = None,
    *,
    partition: int = 2,
    first: int = 100,
    stamp: int = NOW_MS - 1000,
) -> SourceBatch:
    count = len(values)
    return SourceBatch(
        topic=topic,
        partition=partition,
        offsets=list(range(first, first + count)),
        timestamps_ms=[stamp] * count,
        keys=[None] * count if keys is None else keys,
        values=[as_bytes(value) for value in values],
    )


@pytest.fixture
def feed(settings: Settings) -> Feed:
    """Process values (bytes, or anything that JSON can have) of one topic."""
    intake = Intake(settings)

    def process(topic: str, *values: Any, keys: Sequence[bytes | None] | None = None) -> Any:
        return intake.process(make_batch(topic, values, keys), NOW_MS)

    return process


def entries(result: IntakeResult) -> list[tuple[str, LogRecord]]:
    """(key, record) of everything that goes into the log."""
    return [(key.decode(), codec.decode(value)) for key, value, _ in result.records]
