"""What the update did to users, and what its batches and ONNX calls took."""

from __future__ import annotations

from typing import Final

from streams.metrics.registry import counter, histogram

# An ONNX call takes 50 µs for one user up to some 100 ms for a full batch on a slow CPU:
# two buckets per doubling where it usually is, so that a quantile is within 25%.
ONNX_SECONDS: Final = (
    0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007,
    0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip
# Users that went through one call together: powers of two, as cost grows with them.
BATCH_SIZES: Final = tuple(float(2**power) for power in range(14))
# A whole batch: read, waves, changelog, vectors, acknowledgements.
BATCH_SECONDS: Final = (
    0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip


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
