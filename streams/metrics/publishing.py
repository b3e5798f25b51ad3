"""Vectors that went out, and how long after their events."""

from __future__ import annotations

from streams.metrics.buckets import LATENCY_SECONDS
from streams.metrics.registry import counter, histogram


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
