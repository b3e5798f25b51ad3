"""Which bundles compute, were swapped, were refused, and who has come over."""

from __future__ import annotations

from streams.metrics.registry import counter, gauge


class BundleMetrics:
    """Which bundles compute, were swapped, were refused, and who has come over."""

    bundle = gauge(
        "interest_bundle_info",
        "Always 1; which bundle computes (active) or is tried beside it (shadow).",
        "bundle",
        "role",
    )
    bundle_swaps = counter(
        "interest_bundle_swaps_total", "Bundles that took the place of another while running."
    )
    bundle_refusals = counter(
        "interest_bundle_refusals_total",
        "Announced bundles that this worker didn't take, by reason (table below).",
        "reason",
    )
    users_rebuilt = counter(
        "interest_users_rebuilt_total",
        "Users whose state another bundle had made, computed again from the window.",
    )
    partitions_rebuilding = gauge(
        "interest_rebuilding_partitions",
        "Partitions that have users left whose state another bundle made.",
    )

    def set_bundle(self, role: str, bundle: str | None) -> None:
        """Say which bundle has a role (None: none); what had it before is no longer shown."""
        self.bundle.remove_by_labels({"role": role})
        if bundle is not None:
            self.bundle.labels(bundle, role).set(1)
