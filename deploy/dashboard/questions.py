"""The dashboard's four questions: is it behind, is it losing, is it slow, is it wrong."""

from __future__ import annotations

from typing import Final

from deploy.dashboard.panels import GREEN, RED, Panel, Query, Row
from deploy.dashboard.promql import (
    BEHIND_S,
    LOST,
    LOST_SHARE,
    ONE,
    SLOW_S,
    UNKNOWN_SHARE,
    quantile,
    rate,
    share,
    up_to,
)

STATUS: Final = Row(
    "Status: green is healthy",
    [
        Panel(
            "Ready",
            "Whether every worker is ready: states recovered, events being read.",
            [Query(f"min(interest_ready{ONE})")],
            "stat", steps=((None, RED), (1, GREEN)), width=4,
            text=((1, "READY", GREEN), (0, "NOT READY", RED)), empty=("NO WORKER", RED),
        ),
        Panel(
            "Is it behind?",
            "Longest time for which a partition has had records waiting.",
            [Query(f"max(interest_lag_seconds{ONE})")],
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
            [Query(f"max by (topic)(interest_lag_seconds{ONE})", "{{topic}}")],
            unit="s", steps=up_to(BEHIND_S), width=6,
        ),
        Panel(
            "Waiting, in records",
            "By topic, all partitions.",
            [Query(f"sum by (topic)(interest_lag_records{ONE})", "{{topic}}")],
            width=6,
        ),
        Panel(
            "Processed but not committed",
            "Records that would be read again after a crash. Grows without end: commits are"
            " stuck; restart that worker.",
            [
                Query(
                    "sum by (topic)(clamp_min("
                    f"interest_processed_offset{ONE} - interest_committed_offset{ONE}, 0))",
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
                    f"interest_watchdog_still_seconds{ONE}"
                    f" / interest_watchdog_limit_seconds{ONE})",
                    "{{rule}} %",
                ),
                Query(f"sum by (rule)(interest_watchdog_exits_total{ONE})", "exits {{rule}}"),
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
                Query(f"changes(process_start_time_seconds{ONE}[1h])", "restarts {{instance}}"),
                Query(
                    f"increase(interest_batch_failures_total{ONE}[1h])", "failed {{instance}}"
                ),
            ],
        ),
        Panel(
            "Partitions read, by topic",
            "Falls for a moment in a rebalance. Stays low: partitions without a worker.",
            [Query(f"sum by (topic)(interest_partitions_assigned{ONE})", "{{topic}}")],
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
