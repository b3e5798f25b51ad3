"""The Grafana dashboard as code: ``python -m deploy.dashboard`` writes its JSON.

Four questions, in the order in which an operator asks them: is it behind, is it losing, is it
slow, is it wrong. The first row answers them in green or red; a row for each shows why. The
colours turn where the alerts fire (``deploy/prometheus/rules``; a test compares them).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from deploy.panels import (
    GREEN,
    RED,
    SOURCE,
    YELLOW,
    Panel,
    Query,
    Row,
    Step,
    dashboard_json,
)

PATH: Final = Path(__file__).parent / "grafana" / "dashboards" / "interest-stream.json"

# Where the alerts fire.
BEHIND_S: Final = 60.0
LOST_SHARE: Final = 0.01
SLOW_S: Final = 1.0
UNKNOWN_SHARE: Final = 0.2
LATE_SHARE: Final = 0.05

_ONE: Final = '{instance=~"$instance"}'


def up_to(limit: float) -> tuple[Step, ...]:
    """Green, yellow from half of the alert's limit, red where it fires."""
    return ((None, GREEN), (limit / 2, YELLOW), (limit, RED))


def rate(name: str, by: str = "") -> str:
    """Increase a second of a counter, summed over workers."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped}(rate({name}{_ONE}[$__rate_interval]))"


def share(part: str, whole: str, by: str = "") -> str:
    """One rate over another; 0 while the other is 0."""
    return f"{rate(part, by)} / ({rate(whole, by)} > 0)"


def quantile(q: float, name: str, by: str = "") -> str:
    """A quantile of a histogram."""
    grouped = f"le, {by}" if by else "le"
    buckets = f"sum by ({grouped})(rate({name}_bucket{_ONE}[$__rate_interval]))"
    return f"histogram_quantile({q}, {buckets})"


def live(name: str) -> str:
    """A live figure over a quarter of an hour: few events are judged."""
    by = "platform, ranker, bundle"
    judged = f"sum by ({by})(increase(interest_live_cases_total{_ONE}[15m]))"
    return f"sum by ({by})(increase({name}{_ONE}[15m])) / ({judged} > 0)"


LOST: Final = (
    f"{rate('interest_dead_letters_total')} / ({rate('interest_dead_letters_total')}"
    f" + {rate('interest_events_read_total')} > 0)"
)

STATUS: Final = Row(
    "Status: green is healthy",
    [
        Panel(
            "Ready",
            "Whether every worker is ready: states recovered, events being read.",
            [Query(f"min(interest_ready{_ONE})")],
            "stat", steps=((None, RED), (1, GREEN)), width=4,
            text=((1, "READY", GREEN), (0, "NOT READY", RED)), empty=("NO WORKER", RED),
        ),
        Panel(
            "Is it behind?",
            "Longest time for which a partition has had records waiting.",
            [Query(f"max(interest_lag_seconds{_ONE})")],
            "stat", "s", up_to(BEHIND_S), width=5, empty=("NO WORKER", RED),
        ),
        Panel(
            "Is it losing?",
            "Share of records that became dead letters instead of events.",
            [Query(f"({LOST}) or vector(0)")],
            "stat", "percentunit", up_to(LOST_SHARE), width=5, empty=("no events", GREEN),
        ),
        Panel(
            "Is it slow?",
            "99% of vectors left within this time after their event reached Kafka.",
            [Query(quantile(0.99, "interest_event_to_vector_seconds"))],
            "stat", "s", up_to(SLOW_S), width=5, empty=("no events", GREEN),
        ),
        Panel(
            "Is it wrong?",
            "Highest share of a platform's events with an item that no catalogue knows: their"
            " users' vectors move without meaning.",
            [
                Query(
                    "max(" + share("interest_unknown_items_total", "interest_events_applied_total",
                                   "platform") + ") or vector(0)"
                )
            ],
            "stat", "percentunit", up_to(UNKNOWN_SHARE), width=5, empty=("no events", GREEN),
        ),
    ],
    height=4,
)  # fmt: skip

FLOW: Final = Row(
    "Flow",
    [
        Panel(
            "Events",
            "Accepted from platforms, applied to states, and kept out. Applied stays below"
            " accepted for as long as the worker is behind.",
            [
                Query(rate("interest_events_read_total"), "accepted"),
                Query(rate("interest_events_applied_total"), "applied"),
                Query(rate("interest_events_skipped_total"), "kept out"),
            ],
            unit="ops", width=8,
        ),
        Panel(
            "Events accepted, by platform",
            "A platform that falls to zero has a silent producer.",
            [Query(rate("interest_events_read_total", "platform"), "{{platform}}")],
            unit="ops", width=8,
        ),
        Panel(
            "Vectors published, by target",
            "A target that stays at zero knows none of the users, or its topic is refused.",
            [Query(rate("interest_vectors_published_total", "target"), "{{target}}")],
            unit="ops", width=8,
        ),
    ],
)  # fmt: skip

BEHIND: Final = Row(
    "Is it behind?",
    [
        Panel(
            "Waiting, in seconds",
            "By topic, its worst partition. Rising: add a worker (up to events.partitions), or"
            " look for what is slow.",
            [Query(f"max by (topic)(interest_lag_seconds{_ONE})", "{{topic}}")],
            unit="s", steps=up_to(BEHIND_S), width=6,
        ),
        Panel(
            "Waiting, in records",
            "By topic, all partitions.",
            [Query(f"sum by (topic)(interest_lag_records{_ONE})", "{{topic}}")],
            width=6,
        ),
        Panel(
            "Processed but not committed",
            "Records that would be read again after a crash. Grows without end: commits are"
            " stuck; restart that worker.",
            [
                Query(
                    "sum by (topic)(clamp_min("
                    f"interest_processed_offset{_ONE} - interest_committed_offset{_ONE}, 0))",
                    "{{topic}}",
                )
            ],
            width=6,
        ),
        Panel(
            "Standing still",
            "By rule of the watchdog, as a share of its limit: at 100% the worker ends itself."
            " And how often that has happened.",
            [
                Query(
                    "100 * max by (rule)("
                    f"interest_watchdog_still_seconds{_ONE}"
                    f" / interest_watchdog_limit_seconds{_ONE})",
                    "{{rule}} %",
                ),
                Query(f"sum by (rule)(interest_watchdog_exits_total{_ONE})", "exits {{rule}}"),
            ],
            width=6,
        ),
    ],
)  # fmt: skip

LOSING: Final = Row(
    "Is it losing?",
    [
        Panel(
            "Dead letters, by reason",
            "Each is in the dead-letter topic with field, value and remedy.",
            [Query(rate("interest_dead_letters_total", "reason"), "{{reason}}")],
            unit="ops",
        ),
        Panel(
            "Restarts and failed batches, in an hour",
            "What the broker doesn't acknowledge ends the worker; what it hadn't committed is"
            " read again by whoever takes over. Nothing is lost, but it costs time.",
            [
                Query(f"changes(process_start_time_seconds{_ONE}[1h])", "restarts {{instance}}"),
                Query(
                    f"increase(interest_batch_failures_total{_ONE}[1h])", "failed {{instance}}"
                ),
            ],
        ),
        Panel(
            "Partitions read, by topic",
            "Falls for a moment in a rebalance. Stays low: partitions without a worker.",
            [Query(f"sum by (topic)(interest_partitions_assigned{_ONE})", "{{topic}}")],
        ),
    ],
)  # fmt: skip

SLOW: Final = Row(
    "Is it slow?",
    [
        Panel(
            "Event to vector",
            "From the event's Kafka timestamp to the sending of the vector.",
            [
                Query(quantile(q, "interest_event_to_vector_seconds"), f"{q:.0%}")
                for q in (0.5, 0.95, 0.99)
            ],
            unit="s", steps=up_to(SLOW_S), width=8,
        ),
        Panel(
            "ONNX Runtime, by graph: 99% of calls, users a call",
            "Slow calls with few users: too few CPU cores. Slow calls with many: that is a"
            " backlog being worked off.",
            [
                Query(quantile(0.99, "interest_onnx_seconds", "graph"), "{{graph}} seconds"),
                Query(
                    f"{rate('interest_onnx_batch_users_sum', 'graph')}"
                    f" / ({rate('interest_onnx_batch_users_count', 'graph')} > 0)",
                    "{{graph}} users a call",
                ),
            ],
            width=8,
        ),
        Panel(
            "Batch",
            "From reading a batch to its effects being acknowledged.",
            [Query(quantile(q, "interest_batch_seconds"), f"{q:.0%}") for q in (0.5, 0.99)],
            unit="s", width=8,
        ),
    ],
)  # fmt: skip

WRONG: Final = Row(
    "Is it wrong?",
    [
        Panel(
            "Share of events with an unknown item",
            "Rising: a platform doesn't send its items, or the bundle is old.",
            [
                Query(
                    share("interest_unknown_items_total", "interest_events_applied_total",
                          "platform"),
                    "{{platform}}",
                )
            ],
            unit="percentunit", steps=up_to(UNKNOWN_SHARE), width=8,
        ),
        Panel(
            "Events kept out, by reason",
            "late: older than the window. duplicate: the same event id again. replayed, repeated:"
            " seen before a crash or a rebalance, which is as it should be. docs/operations.md"
            " has all.",
            [Query(rate("interest_events_skipped_total", "reason"), "{{reason}}")],
            unit="ops", width=8,
        ),
        Panel(
            "Links and erasures at work",
            "Records passed on to the user of a local id, histories merged, ids erased, and dead"
            " letters taken back because they held one.",
            [
                Query(rate("interest_records_forwarded_total"), "forwarded"),
                Query(rate("interest_users_merged_total"), "merged"),
                Query(rate("interest_users_erased_total"), "erased"),
                Query(rate("interest_dead_letters_removed_total"), "letters taken back"),
            ],
            unit="ops", width=8,
        ),
    ],
)  # fmt: skip

BUNDLES: Final = Row(
    "Bundles",
    [
        Panel(
            "Which bundle",
            "Active and shadow bundle of each worker. Two active ones for longer than it takes to"
            " verify one: a worker refuses it, and says why in its log and in"
            " `interest-stream bundle status`.",
            [Query(f"count by (role, bundle)(interest_bundle_info{_ONE})", "{{role}} {{bundle}}")],
            width=8,
        ),
        Panel(
            "Coming over to another bundle",
            "Users computed again, and partitions that have some left. Without an end: raise"
            " bundles.rebuild_users_s.",
            [
                Query(rate("interest_users_rebuilt_total"), "users a second"),
                Query(f"sum(interest_rebuilding_partitions{_ONE})", "partitions left"),
            ],
            width=8,
        ),
        Panel(
            "Swapped and refused, in an hour",
            "A refused bundle changes nothing: the one before goes on.",
            [
                Query(f"sum(increase(interest_bundle_swaps_total{_ONE}[1h]))", "swapped"),
                Query(
                    f"sum by (reason)(increase(interest_bundle_refusals_total{_ONE}[1h]))",
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
            [Query(f"interest_worker_info{_ONE}")],
            "table", width=6,
        ),
        Panel(
            "Users, items",
            "Users whose state a worker holds, and the items that it knows.",
            [
                Query(f"sum(interest_users{_ONE})", "users"),
                Query(f"max by (platform)(interest_catalogue_items{_ONE})", "items {{platform}}"),
            ],
            width=6,
        ),
        Panel(
            "Memory and state",
            "Resident memory of each worker, and the size of its stored states.",
            [
                Query(f"process_resident_memory_bytes{_ONE}", "memory {{instance}}"),
                Query(f"interest_state_bytes{_ONE}", "state {{instance}}"),
            ],
            unit="bytes", width=6,
        ),
        Panel(
            "Recovery, CPU",
            "Changelog records left to read, and CPU cores in use.",
            [
                Query(f"interest_recovery_remaining_records{_ONE}", "to recover {{instance}}"),
                Query(
                    f"rate(process_cpu_seconds_total{_ONE}[$__rate_interval])", "CPU {{instance}}"
                ),
            ],
            width=6,
        ),
    ],
)  # fmt: skip

ROWS: Final = (STATUS, FLOW, BEHIND, LOSING, SLOW, WRONG, QUALITY, BUNDLES, WORKERS)


def dashboard() -> dict[str, Any]:
    """The dashboard's model."""
    source = {
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        "hide": 0,
    }  # fmt: skip
    instance = {
        "name": "instance", "label": "Worker", "type": "query", "refresh": 2, "sort": 1,
        "datasource": SOURCE,
        "query": "label_values(interest_ready, instance)",
        "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip
    description = "Interests from platform to platform: is it behind, losing, slow, wrong?"
    variables = {"templating": {"list": [source, instance]}, "tags": ["interest-stream"]}
    return dashboard_json("interest-stream", "interest-stream", description, ROWS, **variables)


def as_text() -> str:
    """The JSON file's content."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the JSON file."""
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(as_text(), encoding="utf-8")
    print(f"wrote {PATH}: {sum(len(row.panels) for row in ROWS)} panels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
