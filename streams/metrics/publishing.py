"""Vectors that went out, and how long after their events."""

from __future__ import annotations

from typing import Final

from streams.metrics.registry import counter, histogram

# From the broker's timestamp to sending: 5 ms is the least that two hops take, 1 s is what
# the alert asks for, and a recovery or a backlog shows up to an hour.
LATENCY_SECONDS: Final = (
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0,
    5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
)  # fmt: skip


class PublishingMetrics:
    """Vectors that went out, and how long after their events."""

    vectors_published = counter(
        "interest_vectors_published_total",
        "Interest vectors acknowledged by the broker.",
        "target",
    )
    event_to_vector_seconds = histogram(
        "interest_event_to_vector_seconds",
        "From the Kafka timestamp of an event to the sending of the vector that has it.",
        LATENCY_SECONDS,
    )
