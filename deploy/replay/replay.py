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
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.kafka import KafkaServer, KafkaServerError
from deploy.replay.bundle import ReplayJobError, trained_bundle
from deploy.replay.line import Subscriber, wait_applied, worker_sections
from deploy.replay.report import Outcome, make_report, print_report
from models.data.read import FORMATS, read_events
from models.data.table import EventTable
from models.errors import ModelError
from models.protocols import abxi
from models.protocols.cases import Split
from streams.demo.producer import NativeProducer, TopicNames
from streams.demo.replay import (
    Pace,
    Speed,
    count_table,
    send_events,
    send_items,
    table_name,
    topics_of,
)
from streams.demo.replay_order import rounds_of
from streams.demo.worker_process import WorkerProcess, free_port, write_config
from streams.errors import InterestStreamError

Int64 = NDArray[np.int64]
STEADY: Final = 500.0
"""Events a second at which the test events are sent: the latency without a backlog."""


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
    rounds = rounds_of(table, before)
    seconds = _send_laps(prefix, table, rounds, producer, worker)
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
        events=len(before),
        latencies=subscriber.latencies()[:fast],
        steady=subscriber.latencies(fast),
        live=live,
        vectors=subscriber.received,
        laps=len(rounds),
    )


def _send_laps(
    prefix: str,
    table: EventTable,
    rounds: list[Int64],
    producer: NativeProducer,
    worker: WorkerProcess,
) -> float:
    """Send lap after lap, each when the one before was applied; seconds that it took."""
    started, sent, said = time.monotonic(), 0, 0
    for number, rows in enumerate(rounds, 1):
        send_events(producer, table, rows, Pace(Speed()), prefix)
        producer.flush()
        sent += len(rows)
        wait_applied(worker, sent)
        if sys.stdout.isatty() or sent - said > len(table) // 10 or number == len(rounds):
            said = sent
            _progress(f"lap {number} of {len(rounds)}: {sent:,} of {len(table):,} events applied")
    return time.monotonic() - started


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


def _progress(text: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)
    else:
        print(text, flush=True)
