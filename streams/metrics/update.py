"""What the update did to users, and what its batches and ONNX calls took."""

from __future__ import annotations

from streams.metrics.buckets import BATCH_SECONDS, BATCH_SIZES, ONNX_SECONDS
from streams.metrics.registry import counter, histogram


class UpdateMetrics:
    """What the update did to users, and what its batches and ONNX calls took."""

    events_applied = counter(
        "interest_events_applied_total",
        "Events that became a step of a user's state.",
        "platform",
        "action",
    )
    events_skipped = counter(
        "interest_events_skipped_total",
        "Events kept out of the state, by reason (table below).",
        "reason",
    )
    user_updates = counter("interest_user_updates_total", "User states written.")
    records_forwarded = counter(
        "interest_records_forwarded_total",
        "Records under a local id that were passed on to the key of its user.",
    )
    users_merged = counter(
        "interest_users_merged_total",
        "Histories of a local id that were merged into its user's by a link.",
    )
    users_erased = counter(
        "interest_users_erased_total",
        "Ids of which everything but the mark of their erasure was removed.",
    )
    dead_letters_removed = counter(
        "interest_dead_letters_removed_total",
        "Dead letters that were taken back because they hold an erased id.",
    )
    onnx_seconds = histogram(
        "interest_onnx_seconds",
        "Time of one ONNX Runtime call, by graph (step, migrate).",
        ONNX_SECONDS,
        "graph",
    )
    onnx_batch_users = histogram(
        "interest_onnx_batch_users",
        "Users in one ONNX Runtime call, by graph (step, migrate).",
        BATCH_SIZES,
        "graph",
    )
    batch_seconds = histogram(
        "interest_batch_seconds",
        "Time of one batch, from reading it to its effects being acknowledged.",
        BATCH_SECONDS,
    )
    batch_failures = counter(
        "interest_batch_failures_total",
        "Batches whose effects weren't acknowledged; they are read again.",
    )
