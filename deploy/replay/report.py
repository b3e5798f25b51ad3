"""The report of a replay: what was measured, live next to offline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.hit_rate import hit_rates, rank_interests
from models.evaluation.served import ServedBundle
from models.items.trend import trend_of
from models.protocols.cases import Split

APPLIED: Final = "interest_events_applied_total"
SKIPPED: Final = "interest_events_skipped_total"
DEAD: Final = "interest_dead_letters_total"
MEMORY: Final = "process_resident_memory_bytes"


@dataclass(slots=True)
class Outcome:
    """What was measured on the way.

    Attributes:
        totals: the worker's counters at the end.
        seconds: from the first event to the last one applied, at full speed.
        events: how many were sent in that time.
        latencies: seconds from event to vector at full speed.
        steady: the same at ``STEADY`` events a second.
        live: float32 [n, V], the last vector before each test event.
        vectors: number of vectors that the subscriber received.
        laps: how many laps there were.
    """

    totals: dict[str, float]
    seconds: float
    events: int
    latencies: NDArray[np.float64]
    steady: NDArray[np.float64]
    live: NDArray[np.float32]
    vectors: int
    laps: int


def make_report(split: Split, bundle: Path, outcome: Outcome) -> dict[str, Any]:
    """Everything measured, with the two hit rates of the same cases.

    They agree where they differ by less than two standard errors of a hit rate on so many
    cases.
    """
    table, cases = split.table, split.test
    served = ServedBundle(bundle)
    outputs, trend = served.outputs(table), trend_of(split, served.contract.trend_days)
    ranks = rank_interests(outcome.live, outputs, split, cases, trend)
    exact = offline_vectors(split, served)
    offline_ranks = rank_interests(exact, outputs, split, cases, trend)
    # Vectors travel in float16, so with that rounding the ranks should be the very same.
    half = exact.astype(np.float16).astype(np.float32)
    rounded = rank_interests(half, outputs, split, cases, trend)
    live, offline = hit_rates(ranks, split, cases), hit_rates(offline_ranks, split, cases)
    error = float(np.sqrt(max(offline["all"] * (1.0 - offline["all"]), 1e-9) / len(cases)))
    return {
        **_counts(outcome.totals, len(table)),
        "users": len(table.users),
        "vectors_out": outcome.vectors,
        "events_per_s": outcome.events / outcome.seconds,
        **_latency("latency", outcome.latencies),
        **_latency("latency_steady", outcome.steady),
        "hit_rate_live": live["all"],
        "hit_rate_offline": offline["all"],
        "hit_rate_by_target": {
            name: {"live": live[name], "offline": offline[name]} for name in live if name != "all"
        },
        "standard_error": error,
        "same_rank": float(np.mean(ranks.expected == rounded.expected)),
        "agrees": abs(live["all"] - offline["all"]) < 2.0 * error,
        "test_events": len(cases),
        "laps": outcome.laps,
        "worker_memory_bytes": int(outcome.totals.get(MEMORY, 0.0)),
        "bundle": json.loads((bundle / "bundle.json").read_text())["bundle_id"],
    }


def _counts(totals: dict[str, float], sent: int) -> dict[str, int]:
    """What became of the events, from the worker's counters."""
    applied, skipped, dead = (int(totals.get(name, 0.0)) for name in (APPLIED, SKIPPED, DEAD))
    return {
        "events_in": sent,
        "events_applied": applied,
        "dead_letters": dead,
        "duplicates": int(totals.get(f'{SKIPPED}{{reason="duplicate"}}', 0.0)),
        "late": int(totals.get(f'{SKIPPED}{{reason="late"}}', 0.0)),
        "lost": sent - applied - skipped - dead,
    }


def offline_vectors(split: Split, served: ServedBundle) -> NDArray[np.float32]:
    """float32 [n, V]: what the bundle's graphs make of each test event's history."""
    served.fit(split, seed=0)
    targets = split.targets(split.test)
    vectors = np.zeros((len(split.test), served.contract.vector_dim), np.float32)
    for target in np.unique(targets):
        there = targets == target
        vectors[there] = served.interests(split.test.select(there), int(target))
    return vectors


def _latency(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    median, high = np.percentile(values, [50, 99]).tolist() if len(values) else (0.0, 0.0)
    return {f"{name}_p50_s": median, f"{name}_p99_s": high}


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    print(
        f"\n{report['events_in']:,} events in: {report['events_applied']:,} applied, "
        f"{report['duplicates']:,} duplicates, {report['late']:,} late, "
        f"{report['dead_letters']:,} dead letters, {report['lost']:,} lost\n"
        f"{report['users']:,} users, {report['vectors_out']:,} vectors out, "
        f"{report['events_per_s']:,.0f} events/s, worker {report['worker_memory_bytes'] >> 20} MiB"
        f"\nevent to vector: at full speed {report['latency_p50_s']:.3f} s (99%: "
        f"{report['latency_p99_s']:.3f} s), at a steady pace {report['latency_steady_p50_s']:.3f} "
        f"s (99%: {report['latency_steady_p99_s']:.3f} s)\n"
    )
    print(f"hit rate @10 among 999 others  {'live':>8}  {'offline':>8}")
    for name, rates in report["hit_rate_by_target"].items():
        print(f"  {name:<28} {rates['live']:>8.4f}  {rates['offline']:>8.4f}")
    print(f"  {'all':<28} {report['hit_rate_live']:>8.4f}  {report['hit_rate_offline']:>8.4f}")
    verdict = "agree" if report["agrees"] else "DON'T AGREE"
    print(
        f"live and offline {verdict} (standard error {report['standard_error']:.4f}); "
        f"{report['same_rank']:.2%} of the test events have the very same rank"
    )
