"""What stands below the dashboard's questions: quality, bundles, workers."""

from __future__ import annotations

from typing import Final

from deploy.dashboard.panels import Panel, Query, Row
from deploy.dashboard.promql import ONE, live, rate

BUNDLES: Final = Row(
    "Bundles",
    [
        Panel(
            "Which bundle",
            "Active and shadow bundle of each worker. Two active ones for longer than it takes to"
            " verify one: a worker refuses it, and says why in its log and in"
            " `interest-stream bundle status`.",
            [Query(f"count by (role, bundle)(interest_bundle_info{ONE})", "{{role}} {{bundle}}")],
            width=8,
        ),
        Panel(
            "Coming over to another bundle",
            "Users computed again, and partitions that have some left. Without an end: raise"
            " bundles.rebuild_users_s.",
            [
                Query(rate("interest_users_rebuilt_total"), "users a second"),
                Query(f"sum(interest_rebuilding_partitions{ONE})", "partitions left"),
            ],
            width=8,
        ),
        Panel(
            "Swapped and refused, in an hour",
            "A refused bundle changes nothing: the one before goes on.",
            [
                Query(f"sum(increase(interest_bundle_swaps_total{ONE}[1h]))", "swapped"),
                Query(
                    f"sum by (reason)(increase(interest_bundle_refusals_total{ONE}[1h]))",
                    "refused: {{reason}}",
                ),
            ],
            width=8,
        ),
    ],
)  # fmt: skip

QUALITY: Final = Row(
    "How good are the vectors?",
    [
        Panel(
            "HR@10, live",
            "Share of judged events whose item ranked among the first ten of its platform, before"
            " the event was applied: by the active bundle, by a shadow, by popularity. Falls below"
            " popularity: the bundle is old, or items are unknown.",
            [Query(live("interest_live_hits_total"), "{{platform}} {{ranker}} {{bundle}}")],
            unit="percentunit", width=8,
        ),
        Panel(
            "MRR, live",
            "Mean of 1 / rank of the same items.",
            [
                Query(
                    live("interest_live_reciprocal_rank_total"),
                    "{{platform}} {{ranker}} {{bundle}}",
                )
            ],
            unit="percentunit", width=8,
        ),
        Panel(
            "Judged events",
            "Too few: the two panels beside it jump; raise quality.sample_rate. Dropped: more than"
            " the judge can take.",
            [
                Query(rate("interest_live_cases_total", "ranker"), "{{ranker}}"),
                Query(rate("interest_live_dropped_total"), "dropped"),
            ],
            unit="ops", width=8,
        ),
    ],
)  # fmt: skip

WORKERS: Final = Row(
    "Workers",
    [
        Panel(
            "What runs",
            "Version, bundle and ONNX provider of each worker; they should be the same.",
            [Query(f"interest_worker_info{ONE}")],
            "table", width=6,
        ),
        Panel(
            "Users, items",
            "Users whose state a worker holds, and the items that it knows.",
            [
                Query(f"sum(interest_users{ONE})", "users"),
                Query(f"max by (platform)(interest_catalogue_items{ONE})", "items {{platform}}"),
            ],
            width=6,
        ),
        Panel(
            "Memory and state",
            "Resident memory of each worker, and the size of its stored states.",
            [
                Query(f"process_resident_memory_bytes{ONE}", "memory {{instance}}"),
                Query(f"interest_state_bytes{ONE}", "state {{instance}}"),
            ],
            unit="bytes", width=6,
        ),
        Panel(
            "Recovery, CPU",
            "Changelog records left to read, and CPU cores in use.",
            [
                Query(f"interest_recovery_remaining_records{ONE}", "to recover {{instance}}"),
                Query(
                    f"rate(process_cpu_seconds_total{ONE}[$__rate_interval])", "CPU {{instance}}"
                ),
            ],
            width=6,
        ),
    ],
)  # fmt: skip
