"""The section ``[events]``: the log."""

from __future__ import annotations

from pydantic import Field

from streams.settings.base import Section, Topic


class Events(Section):
    """The log that the update reads: all events and links, keyed by user."""

    topic: Topic = Field(default="interest.events", description="Name of the topic.")
    partitions: int = Field(
        default=8,
        ge=1,
        le=10_000,
        description="Partitions, and the most workers that can share the work. Fixed for the "
        "life of the topic: a user's key decides the partition.",
    )
    retention_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="Retention in days; longer than the longest outage to be survived.",
    )
