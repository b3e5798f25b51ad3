"""A dead letter of which a test says only what it is about."""

from __future__ import annotations

from streams.errors import RecordError
from streams.intake.dead_letters.dead_letter import DeadLetter, make_letter


def letter_of(
    raw: bytes = b"{}",
    *,
    key: bytes | None = None,
    platform: str = "shop",
    value: str = "",
    source: tuple[str, int, int] = ("shop.click", 0, 7),
    seen_ms: int = 2,
) -> DeadLetter:
    """The letter of an event that names no item, made by the worker's own function."""
    return make_letter(
        error=RecordError("no_item", "item_id", value, "send one"),
        platform=platform,
        source=source,
        timestamp_ms=1,
        key=key,
        raw=raw,
        seen_ms=seen_ms,
    )
