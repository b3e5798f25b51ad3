"""Every Prometheus name of the worker, in one file.

Names start with ``interest_`` and are in base units: seconds, bytes, counts. Counters take
batches (``add``), histograms take arrays (``observe_many``), and what belongs to a partition
is removed when the partition is taken away (``forget_partition``). The dashboard and the
alerts may only use what stands here; ``docs/operations.md`` has the same list in a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import Counter, Gauge
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from streams.metrics.buckets import BATCH_SECONDS, BATCH_SIZES, LATENCY_SECONDS, ONNX_SECONDS
from streams.metrics.label_values import REFUSAL_REASONS, SKIP_REASONS
from streams.metrics.registry import Registered


class Metrics(Registered):
    """The worker's metrics, as typed attributes.

    Args:
        registry: where they live; each worker of a process (tests run several) has its own.
        process: also export this process' memory, CPU time, files and garbage collection
            (the usual ``process_*`` and ``python_*`` names).
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, process: bool = True) -> None:
        super().__init__(registry)
        self._intake()
        self._update()
        self._users()
        self._calls()
        self._output()
        self._progress()
        self._bundles()
        self._quality()
        self._condition()
        self._recovery()
        self._watchdog()
        if process:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def _intake(self) -> None:
        self.events_read: Counter = self._counter(
            "interest_events_read_total",
            "Events read from platforms' topics and accepted (a purchase of 3 items is 3).",
            "platform",
            "action",
        )
        self.dead_letters: Counter = self._counter(
            "interest_dead_letters_total",
            "Records that couldn't be used and went to the dead-letter topic.",
            "reason",
        )
        self.unknown_items: Counter = self._counter(
            "interest_unknown_items_total",
            "Events whose item no catalogue knows; they count as the platform's unknown item.",
            "platform",
        )
        self.catalogue_items: Gauge = self._gauge(
            "interest_catalogue_items",
            "Items known: the bundle's and those that arrived on the items topic.",
            "platform",
        )

    def _update(self) -> None:
        self.events_applied: Counter = self._counter(
            "interest_events_applied_total",
            "Events that became a step of a user's state.",
            "platform",
            "action",
        )
        self.events_skipped: Counter = self._counter(
            "interest_events_skipped_total",
            "Events kept out of the state, by reason (table below).",
            "reason",
        )
        for reason in SKIP_REASONS:
            self.events_skipped.labels(reason)

    def _users(self) -> None:
        self.user_updates: Counter = self._counter(
            "interest_user_updates_total", "User states written."
        )
        self.records_forwarded: Counter = self._counter(
            "interest_records_forwarded_total",
            "Records under a local id that were passed on to the key of its user.",
        )
        self.users_merged: Counter = self._counter(
            "interest_users_merged_total",
            "Histories of a local id that were merged into its user's by a link.",
        )
        self.users_erased: Counter = self._counter(
            "interest_users_erased_total",
            "Ids of which everything but the mark of their erasure was removed.",
        )
        self.dead_letters_removed: Counter = self._counter(
            "interest_dead_letters_removed_total",
            "Dead letters that were taken back because they hold an erased id.",
        )

    def _calls(self) -> None:
        self.onnx_seconds = self._histogram(
            "interest_onnx_seconds",
            "Time of one ONNX Runtime call, by graph (step, migrate).",
            ONNX_SECONDS,
            "graph",
        )
        self.onnx_batch_users = self._histogram(
            "interest_onnx_batch_users",
            "Users in one ONNX Runtime call, by graph (step, migrate).",
            BATCH_SIZES,
            "graph",
        )
        self.batch_seconds = self._histogram(
            "interest_batch_seconds",
            "Time of one batch, from reading it to its effects being acknowledged.",
            BATCH_SECONDS,
        )
        self.batch_failures: Counter = self._counter(
            "interest_batch_failures_total",
            "Batches whose effects weren't acknowledged; they are read again.",
        )

    def _output(self) -> None:
        self.vectors_published: Counter = self._counter(
            "interest_vectors_published_total",
            "Interest vectors acknowledged by the broker.",
            "target",
        )
        self.event_to_vector_seconds = self._histogram(
            "interest_event_to_vector_seconds",
            "From the Kafka timestamp of an event to the sending of the vector that has it.",
            LATENCY_SECONDS,
        )

    def _progress(self) -> None:
        partition = ("topic", "partition")
        self.lag_records: Gauge = self._gauge(
            "interest_lag_records", "Records of a partition not yet processed.", *partition
        )
        self.lag_seconds: Gauge = self._gauge(
            "interest_lag_seconds",
            "For how long a partition has had records waiting; 0 when nothing is left to read.",
            *partition,
        )
        self.processed_offset: Gauge = self._gauge(
            "interest_processed_offset",
            "Offset after the last record of a partition whose effects are acknowledged.",
            *partition,
        )
        self.committed_offset: Gauge = self._gauge(
            "interest_committed_offset", "Offset that the broker has as committed.", *partition
        )
        self.last_progress: Gauge = self._gauge(
            "interest_last_progress_timestamp_seconds",
            "When an offset last advanced, or the worker last found nothing left to read.",
        )
        self.partitions_assigned: Gauge = self._gauge(
            "interest_partitions_assigned", "Partitions that this worker reads.", "topic"
        )

    def _bundles(self) -> None:
        self.bundle: Gauge = self._gauge(
            "interest_bundle_info",
            "Always 1; which bundle computes (active) or is tried beside it (shadow).",
            "bundle",
            "role",
        )
        self.bundle_swaps: Counter = self._counter(
            "interest_bundle_swaps_total", "Bundles that took the place of another while running."
        )
        self.bundle_refusals: Counter = self._counter(
            "interest_bundle_refusals_total",
            "Announced bundles that this worker didn't take, by reason (table below).",
            "reason",
        )
        for reason in REFUSAL_REASONS:
            self.bundle_refusals.labels(reason)
        self.users_rebuilt: Counter = self._counter(
            "interest_users_rebuilt_total",
            "Users whose state another bundle had made, computed again from the window.",
        )
        self.partitions_rebuilding: Gauge = self._gauge(
            "interest_rebuilding_partitions",
            "Partitions that have users left whose state another bundle made.",
        )

    def _quality(self) -> None:
        of = ("platform", "ranker", "bundle")
        self.live_cases: Counter = self._counter(
            "interest_live_cases_total",
            "Events of which it was asked, before they were applied, where their item ranks: by"
            " the active bundle's vectors, the shadow's, or popularity.",
            *of,
        )
        self.live_hits: Counter = self._counter(
            "interest_live_hits_total",
            "Those whose item ranked among the first ten (over cases: HR@10).",
            *of,
        )
        self.live_reciprocal: Counter = self._counter(
            "interest_live_reciprocal_rank_total",
            "Sum of 1 / rank of their items (over cases: MRR).",
            *of,
        )
        self.live_dropped: Counter = self._counter(
            "interest_live_dropped_total", "Events that were to be judged and were too many."
        )

    def _condition(self) -> None:
        self.ready: Gauge = self._gauge(
            "interest_ready", "1 once the state is recovered and events are being read."
        )
        self.info: Gauge = self._gauge(
            "interest_worker_info",
            "Always 1; the labels say what runs.",
            "version",
            "bundle",
            "provider",
        )
        self.state_bytes: Gauge = self._gauge(
            "interest_state_bytes", "Size of the stored user states."
        )
        self.users: Gauge = self._gauge("interest_users", "Users whose state this worker holds.")

    def _recovery(self) -> None:
        self.recovery_in_progress: Gauge = self._gauge(
            "interest_recovery_in_progress", "1 while states are read back from the changelog."
        )
        self.recovery_remaining: Gauge = self._gauge(
            "interest_recovery_remaining_records", "Changelog records left to read."
        )
        self.recovered_records: Counter = self._counter(
            "interest_recovered_records_total", "Changelog records read back."
        )
        self.recovery_seconds: Gauge = self._gauge(
            "interest_recovery_seconds", "Duration of the recovery: the running one, or the last."
        )

    def _watchdog(self) -> None:
        self.watchdog_still_seconds: Gauge = self._gauge(
            "interest_watchdog_still_seconds",
            "For how long what a rule of the watchdog watches has stood still.",
            "rule",
        )
        self.watchdog_limit_seconds: Gauge = self._gauge(
            "interest_watchdog_limit_seconds",
            "For how long it may, before the worker ends itself.",
            "rule",
        )
        self.watchdog_exits: Counter = self._counter(
            "interest_watchdog_exits_total",
            "How often a rule has ended a worker with this state folder; the next start shows it.",
            "rule",
        )

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

    def declare_quality(
        self, platforms: Sequence[str], rankers: Sequence[str], bundle: str
    ) -> None:
        """Start the figures of a bundle at zero."""
        for counter in (self.live_cases, self.live_hits, self.live_reciprocal):
            for platform in platforms:
                for ranker in rankers:
                    counter.labels(platform, ranker, bundle)

    def forget_quality(self, bundle: str) -> None:
        """Remove the series of a bundle that neither computes nor is tried any more."""
        for counter in (self.live_cases, self.live_hits, self.live_reciprocal):
            counter.remove_by_labels({"bundle": bundle})

    def set_bundle(self, role: str, bundle: str | None) -> None:
        """Say which bundle has a role (None: none); what had it before is no longer shown."""
        self.bundle.remove_by_labels({"role": role})
        if bundle is not None:
            self.bundle.labels(bundle, role).set(1)

    def set_info(self, version: str, bundle: str, provider: str) -> None:
        """Say what runs; what ran before (another bundle) is no longer shown."""
        self.info.clear()
        self.info.labels(version, bundle, provider).set(1)

    def watch(self, limits_s: Mapping[str, float]) -> None:
        """Say what the watchdog's rules are, in seconds, and start their series."""
        for rule, limit in limits_s.items():
            self.watchdog_limit_seconds.labels(rule).set(limit)
            self.watchdog_still_seconds.labels(rule)
            self.watchdog_exits.labels(rule)

    def forget_partition(self, topic: str, partition: int) -> None:
        """Remove the series of a partition that was taken away from this worker."""
        gauges = (self.lag_records, self.lag_seconds, self.processed_offset, self.committed_offset)
        for gauge in gauges:
            gauge.remove_by_labels({"topic": topic, "partition": str(partition)})
