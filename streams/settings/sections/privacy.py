"""The sections about what users allow and what must be forgotten."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.settings.base import Section, Topic


class Consent(Section):
    """Which platforms' events may be used for whom."""

    topic: Topic = Field(
        default="interest.consent",
        description="Compacted topic with what each user allows, keyed by the user id "
        "(docs/events.md). A user without a record allows everything.",
    )


class Erasure(Section):
    """Users who must be forgotten."""

    topic: Topic = Field(
        default="interest.erasure",
        description="Compacted topic with the users to erase, keyed by the user id "
        "(docs/events.md). Its records are also the marks by which an erased user's earlier "
        "events are known when they come again: keep them.",
    )
    later_events: Literal["restart", "refuse"] = Field(
        default="restart",
        description="What becomes of an erased id's later events: `restart`: they count, from "
        "nothing; `refuse`: they don't. It applies to erasures from then on.",
    )
    compaction_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="Days after which what was overwritten or taken back is gone from the "
        "brokers' disks: `max.compaction.lag.ms` of the changelog, the vectors and the dead "
        "letters, where the worker creates these topics.",
    )
