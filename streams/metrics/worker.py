"""The worker's condition: what runs, whether it is ready, and its recovery."""

from __future__ import annotations

from streams.metrics.registry import counter, gauge


class WorkerMetrics:
    """The worker's condition: what runs, whether it is ready, and its recovery."""

    ready = gauge("interest_ready", "1 once the state is recovered and events are being read.")
    info = gauge(
        "interest_worker_info",
        "Always 1; the labels say what runs.",
        "version",
        "bundle",
        "provider",
    )
    state_bytes = gauge("interest_state_bytes", "Size of the stored user states.")
    users = gauge("interest_users", "Users whose state this worker holds.")
    recovery_in_progress = gauge(
        "interest_recovery_in_progress", "1 while states are read back from the changelog."
    )
    recovery_remaining = gauge(
        "interest_recovery_remaining_records", "Changelog records left to read."
    )
    recovered_records = counter("interest_recovered_records_total", "Changelog records read back.")
    recovery_seconds = gauge(
        "interest_recovery_seconds", "Duration of the recovery: the running one, or the last."
    )

    def set_info(self, version: str, bundle: str, provider: str) -> None:
        """Say what runs; what ran before (another bundle) is no longer shown."""
        self.info.clear()
        self.info.labels(version, bundle, provider).set(1)
