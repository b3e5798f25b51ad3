"""The worker's metrics: every Prometheus name is in one of the files that are put together here.

Names start with ``interest_`` and are in base units: seconds, bytes, counts. Counters take
batches (``add``), histograms take arrays (``observe_many``), and what belongs to a partition
is removed when the partition is taken away (``forget_partition``). The dashboard and the
alerts may only use what stands here; ``docs/operations.md`` has the same list in a table.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from streams.metrics.bundles import BundleMetrics
from streams.metrics.intake import IntakeMetrics
from streams.metrics.label_values import REFUSAL_REASONS, SKIP_REASONS
from streams.metrics.live_quality import LiveQualityMetrics
from streams.metrics.progress import ProgressMetrics
from streams.metrics.publishing import PublishingMetrics
from streams.metrics.registry import Registered
from streams.metrics.update import UpdateMetrics
from streams.metrics.watchdog import WatchdogMetrics
from streams.metrics.worker import WorkerMetrics


class Metrics(
    IntakeMetrics,
    UpdateMetrics,
    PublishingMetrics,
    ProgressMetrics,
    BundleMetrics,
    LiveQualityMetrics,
    WorkerMetrics,
    WatchdogMetrics,
    Registered,
):
    """The worker's metrics, as typed attributes.

    Args:
        registry: where they live; each worker of a process (tests run several) has its own.
        process: also export this process' memory, CPU time, files and garbage collection
            (the usual ``process_*`` and ``python_*`` names).
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, process: bool = True) -> None:
        super().__init__(registry)
        for reason in SKIP_REASONS:
            self.events_skipped.labels(reason)
        for reason in REFUSAL_REASONS:
            self.bundle_refusals.labels(reason)
        if process:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def declare(
        self,
        platforms: Sequence[str],
        actions: Sequence[str],
        targets: Sequence[str],
        dead_letter_reasons: Sequence[str] = (),
    ) -> None:
        """Start the counters of known labels at zero.

        A counter whose first sample is 5 shows no increase to Prometheus: the first dead
        letters after a start would raise no alert.
        """
        for platform in platforms:
            self.unknown_items.labels(platform)
            for action in actions:
                self.events_read.labels(platform, action)
                self.events_applied.labels(platform, action)
        for target in targets:
            self.vectors_published.labels(target)
        for reason in dead_letter_reasons:
            self.dead_letters.labels(reason)
