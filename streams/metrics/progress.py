"""How far each partition is, and how far behind."""

from __future__ import annotations

from streams.metrics.registry import gauge

PARTITION = ("topic", "partition")


class ProgressMetrics:
    """How far each partition is, and how far behind."""

    lag_records = gauge(
        "interest_lag_records", "Records of a partition not yet processed.", *PARTITION
    )
    lag_seconds = gauge(
        "interest_lag_seconds",
        "For how long a partition has had records waiting; 0 when nothing is left to read.",
        *PARTITION,
    )
    processed_offset = gauge(
        "interest_processed_offset",
        "Offset after the last record of a partition whose effects are acknowledged.",
        *PARTITION,
    )
    committed_offset = gauge(
        "interest_committed_offset", "Offset that the broker has as committed.", *PARTITION
    )
    last_progress = gauge(
        "interest_last_progress_timestamp_seconds",
        "When an offset last advanced, or the worker last found nothing left to read.",
    )
    partitions_assigned = gauge(
        "interest_partitions_assigned", "Partitions that this worker reads.", "topic"
    )

    def forget_partition(self, topic: str, partition: int) -> None:
        """Remove the series of a partition that was taken away from this worker."""
        gauges = (self.lag_records, self.lag_seconds, self.processed_offset, self.committed_offset)
        for shown in gauges:
            shown.remove_by_labels({"topic": topic, "partition": str(partition)})
