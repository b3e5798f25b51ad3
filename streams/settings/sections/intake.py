"""The section ``[intake]``: how records are read and what may be late or early."""

from __future__ import annotations

from pydantic import Field

from streams.settings.base import Section


class Intake(Section):
    """The platforms' topics, and the limits of what is accepted from them."""

    partitions: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="Partitions of the platforms' topics that the worker creates. Existing "
        "topics may have any number.",
    )
    retention_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="Retention of the event topics that the worker creates, in days.",
    )
    max_id_bytes: int = Field(
        default=256,
        ge=8,
        le=4096,
        description="Longest id (user, local id, item, event) in bytes of UTF-8; longer ones "
        "make the record a dead letter.",
    )
    max_items: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Most items of one event (a purchase of several items is one event each); "
        "more make the record a dead letter.",
    )
