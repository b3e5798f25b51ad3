"""The section ``[window]``: what bounds a user's window."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from streams.settings.base import Section

MAX_WINDOW_EVENTS: Final = 250  # the stored value counts them in one byte, with room to spare


class Window(Section):
    """The recent events that are kept of each user."""

    events: int = Field(
        default=64,
        ge=2,
        le=MAX_WINDOW_EVENTS,
        multiple_of=2,
        description="Most events of one user (an even number: a snapshot of the state is taken "
        "at each half).",
    )
    days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="Days of event time behind the user's newest event.",
    )
    max_future_s: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="Seconds by which an event's time may be ahead of the worker's clock; an "
        "event further ahead becomes a dead letter.",
    )
