"""The section ``[deadletter]``: records that can't be used."""

from __future__ import annotations

from pydantic import Field

from streams.settings.base import Section, Topic


class DeadLetter(Section):
    """The topic with records that can't be used."""

    topic: Topic = Field(default="interest.deadletter", description="Name of the topic.")
    partitions: int = Field(
        default=1, ge=1, le=10_000, description="Partitions, if the worker creates the topic."
    )
    retention_days: float = Field(default=30.0, gt=0, le=3650, description="Retention in days.")
