"""``make replay DATA=folder``: real events through a real Kafka; does it serve what was trained?

    python -m deploy.replay DATA [--bundle DIR] [--report FILE]

A bundle trained on the training part of the data (unless one is given), Apache Kafka from its
jars, the worker, the replay of all events, a subscriber. Before each user's last event, which
is the test, the last vector published for its platform ranks it among 999 others; next to that
stands the offline figure of the same bundle on the same candidates. They must agree.

The test events are held back until the vectors of everything before them have arrived: at full
speed vectors are published for each batch, not for each event.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.kafka import KafkaServer, KafkaServerError
from deploy.replay_bundle import ReplayJobError, trained_bundle
from deploy.replay_line import Subscriber, wait_applied, worker_sections
from models.data.read import FORMATS, read_events
from models.errors import ModelError
from models.hit_rate import hit_rates, rank_interests
from models.protocols import Split, abxi
from models.served import ServedBundle
from streams.bench.laps import laps
from streams.bench.producer import NativeProducer, TopicNames
from streams.bench.replay import (
    Pace,
    Speed,
    count_table,
    send_events,
    send_items,
    table_name,
    topics_of,
)
from streams.bench.worker_process import WorkerProcess, free_port, write_config
from streams.errors import InterestStreamError

Int64 = NDArray[np.int64]
STEADY: Final = 500.0
"""Events a second at which the test events are sent: the latency without a backlog."""


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


def main(arguments: list[str] | None = None) -> int:
    """Run the job; 0 if nothing was lost and live and offline agree."""
    args = _parser().parse_args(arguments)
    try:
        table = read_events(args.data, args.format)
        split = abxi(table)
        if not len(split.test):
            raise ReplayJobError(f"{args.data}: nobody has three events, so nothing can be tested")
        bundle = args.bundle or trained_bundle(args.data, args.format, args.bundles)
        outcome = _run(args.data, split, bundle, args.events_per_s)
        report = make_report(split, bundle, outcome)
    except (InterestStreamError, ModelError, KafkaServerError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    args.report.parent.mkdir(parents=True, exist_ok=True)
    args.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print_report(report)
    print(f"\nreport: {args.report}")
    return 0 if report["agrees"] and not report["lost"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.replay", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", type=Path, metavar="DATA", help="folder or file of events")
    parser.add_argument("--format", choices=FORMATS, help="default: found out from the files")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a trained bundle")
    parser.add_argument(
        "--bundles", type=Path, default=Path("build/replay"), help="where trained bundles are kept"
    )
    parser.add_argument("--report", type=Path, default=Path("build/replay.json"), metavar="FILE")
    parser.add_argument(
        "--events-per-s", type=float, default=STEADY, help="pace of the test events (500)"
    )
    return parser


def _run(data: Path, split: Split, bundle: Path, steady: float) -> Outcome:
    """The whole line, from a fresh broker to the last vector."""
    with tempfile.TemporaryDirectory(prefix="replay-") as name, KafkaServer() as kafka:
        folder = Path(name)
        port = free_port()
        sections = worker_sections(split.table, kafka.bootstrap, bundle, folder, port)
        write_config(folder / "worker.toml", sections)
        print(f"Kafka on {kafka.bootstrap}; starting the worker ...", flush=True)
        log = folder / "worker.log"
        url = f"http://127.0.0.1:{port}"
        with WorkerProcess(folder / "worker.toml", url, log) as worker:
            worker.wait_ready()
            subscriber = Subscriber(kafka.bootstrap, split.table.platforms)
            try:
                with NativeProducer(kafka.bootstrap) as producer:
                    return _replay(table_name(data), split, producer, worker, subscriber, steady)
            finally:
                subscriber.close()


def _replay(
    prefix: str,
    split: Split,
    producer: NativeProducer,
    worker: WorkerProcess,
    subscriber: Subscriber,
    steady: float,
) -> Outcome:
    table, tests = split.table, np.sort(split.test.row)
    before = np.setdiff1d(np.arange(len(table)), tests)
    producer.require(sorted(topics_of(table, TopicNames.default())))
    print(f"{send_items(producer, table):,} items announced", flush=True)
    started = time.monotonic()
    rounds = laps(table, before)
    sent, said = 0, 0
    for number, rows in enumerate(rounds, 1):
        send_events(producer, table, rows, Pace(Speed()), prefix)
        producer.flush()
        sent += len(rows)
        wait_applied(worker, sent)
        if sys.stdout.isatty() or sent - said > len(table) // 10 or number == len(rounds):
            said = sent
            _progress(f"lap {number} of {len(rounds)}: {sent:,} of {len(table):,} events applied")
    seconds = time.monotonic() - started
    subscriber.wait_for(_expected(split))
    live = _vectors(split, subscriber)
    fast = subscriber.received
    _progress(f"the {len(tests):,} test events at {steady:g} a second")
    rows = tests[np.argsort(table.time_ms[tests], kind="stable")]
    send_events(producer, table, rows, Pace(Speed(per_second=steady)), prefix)
    producer.flush()
    totals = wait_applied(worker, len(table))
    subscriber.wait_for({key: count + 1 for key, count in _expected(split).items()})
    print(count_table(table, np.arange(len(table))), flush=True)
    return Outcome(
        totals=totals,
        seconds=seconds,
        events=sent,
        latencies=subscriber.latencies()[:fast],
        steady=subscriber.latencies(fast),
        live=live,
        vectors=subscriber.received,
        laps=len(rounds),
    )


def _expected(split: Split) -> dict[tuple[str, str], int]:
    """(target, user) of each test event to the number of events before it."""
    table, cases = split.table, split.test
    return {
        (table.platforms[table.platform[row]], table.users[table.user[row]]): int(end - start)
        for row, start, end in zip(cases.row, cases.start, cases.end, strict=True)
    }


def _vectors(split: Split, subscriber: Subscriber) -> NDArray[np.float32]:
    """float32 [n, V]: for each test case the user's vector for its platform."""
    return np.stack([subscriber.vector(*key) for key in _expected(split)])


def make_report(split: Split, bundle: Path, outcome: Outcome) -> dict[str, Any]:
    """Everything measured, with the two hit rates of the same cases.

    They agree where they differ by less than two standard errors of a hit rate on so many
    cases.
    """
    table, cases = split.table, split.test
    served = ServedBundle(bundle)
    outputs = served.outputs(table)
    ranks = rank_interests(outcome.live, outputs, split, cases)
    exact = offline_vectors(split, served)
    offline_ranks = rank_interests(exact, outputs, split, cases)
    # Vectors travel in float16, so with that rounding the ranks should be the very same.
    rounded = rank_interests(exact.astype(np.float16).astype(np.float32), outputs, split, cases)
    live, offline = hit_rates(ranks, split, cases), hit_rates(offline_ranks, split, cases)
    error = float(np.sqrt(max(offline["all"] * (1.0 - offline["all"]), 1e-9) / len(cases)))
    totals = outcome.totals
    skipped = "interest_events_skipped_total"
    accounted = sum(totals.get(n, 0.0) for n in ("interest_events_applied_total", skipped))
    dead = int(totals.get("interest_dead_letters_total", 0.0))
    report: dict[str, Any] = {
        "events_in": len(table),
        "events_applied": int(totals.get("interest_events_applied_total", 0.0)),
        "dead_letters": dead,
        "duplicates": int(totals.get(f'{skipped}{{reason="duplicate"}}', 0.0)),
        "late": int(totals.get(f'{skipped}{{reason="late"}}', 0.0)),
        "lost": len(table) - int(accounted) - dead,
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
        "worker_memory_bytes": int(totals.get("process_resident_memory_bytes", 0.0)),
        "bundle": json.loads((bundle / "bundle.json").read_text())["bundle_id"],
    }
    return report


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


def _progress(text: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)
    else:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
