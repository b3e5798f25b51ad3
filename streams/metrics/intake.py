"""What intake made of the platforms' records."""

from __future__ import annotations

from streams.metrics.registry import counter, gauge


class IntakeMetrics:
    """What intake made of the platforms' records."""

    events_read = counter(
        "interest_events_read_total",
        "Events read from platforms' topics and accepted (a purchase of 3 items is 3).",
        "platform",
        "action",
    )
    dead_letters = counter(
        "interest_dead_letters_total",
        "Records that couldn't be used and went to the dead-letter topic.",
        "reason",
    )
    unknown_items = counter(
        "interest_unknown_items_total",
        "Events whose item no catalogue knows; they count as the platform's unknown item.",
        "platform",
    )
    catalogue_items = gauge(
        "interest_catalogue_items",
        "Items known: the bundle's and those that arrived on the items topic.",
        "platform",
    )
