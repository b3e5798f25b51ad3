"""``interest-stream demo``: the whole line on one machine, with nothing to set up.

An embedded broker, simulated people on three platforms, the real worker, real subscribers.
It ends with a judgement against the simulator's truth, which is also its exit code.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from streams.bundles.bundle import Bundle
from streams.demo.broker import LINGER_MS, EmbeddedBroker, worker_config
from streams.demo.producer import NativeProducer, TopicNames
from streams.demo.run import INTERRUPTED, DemoRun, say
from streams.demo.simulator.people import DAY_MS, LINKED
from streams.demo.simulator.simulator import Simulator
from streams.demo.simulator.topics import PLATFORMS
from streams.demo.worker_process import WorkerProcess, free_port, write_config
from streams.runtime.topics import wanted_topics
from streams.settings import parse_settings

BUNDLE: Final = Path(__file__).parents[1] / "demo" / "bundle"
AGO_DAYS: Final = 1000
"""The simulated days lie this far back, so that simulated time never overtakes the real one."""
LABELS: Final = 3
"""In each message; more don't fit into a line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--seconds", type=float, help="end by itself (default: at Ctrl-C)")
    parser.add_argument("--users", type=int, default=300, help="people (default 300)")
    parser.add_argument("--seed", type=int, default=2026, help="of the people (default 2026)")
    parser.add_argument(
        "--bundle",
        type=Path,
        default=BUNDLE,
        metavar="DIR",
        help="default: the shipped one",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 only if vectors follow the simulator's truth better than popularity."""
    console = Console(highlight=False)
    # A warning of a client would land in the middle of a frame; a failure is raised anyway.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    bundle = Bundle.load(args.bundle)
    simulator = Simulator(
        args.seed, args.users,
        start_ms=_start_ms(), drift_days=5.0, duplicate_rate=0.01, late_rate=0.005,
    )  # fmt: skip
    with (
        _stop_by_signal() as stopping,
        tempfile.TemporaryDirectory(prefix="interest-stream-") as folder,
        EmbeddedBroker() as broker,
    ):
        say(f"embedded broker on {broker.bootstrap}; starting the worker ...")
        config, http, topics = _configure(broker, Path(folder), args.bundle)
        with (
            WorkerProcess(config, http, Path(folder) / "worker.log") as worker,
            NativeProducer(broker.bootstrap, topics, linger_ms=LINGER_MS) as producer,
        ):
            if not worker.wait_ready(stopping):
                return INTERRUPTED
            stage = DemoRun(simulator, bundle, worker, producer, console)
            return stage.run(args.seconds, stopping)


def demo_settings(bootstrap: str, bundle: Path, folder: Path, port: int) -> dict[str, Any]:
    """The worker's settings for the demo, as sections of its TOML file.

    Each platform has one topic for its events. With a topic for each action, a browse and the
    click after it, half a minute apart, would be read in any order: simulated time runs
    thousands of times faster than the real one.
    """
    platforms: list[dict[str, Any]] = [
        {"name": name, "topics": {"any": [f"{name}.events"]}} for name in PLATFORMS
    ]
    for platform in platforms:
        if platform["name"] in LINKED:
            platform["ids"] = "linked"
    broker = worker_config(bootstrap)
    return {
        "service": {
            "name": "demo",
            "bundle": bundle.resolve(),
            "state_dir": folder / "state",
            "store": "memory",
        },
        **broker,
        "http": {"port": port},
        "output": {**broker["output"], "labels": LABELS},
        # CUDA takes longer to start than this demo's batches take on a CPU altogether.
        "onnx": {"providers": "cpu"},
        "platforms": platforms,
    }


def _configure(broker: EmbeddedBroker, folder: Path, bundle: Path) -> tuple[Path, str, TopicNames]:
    """Settings file, base URL and topics of the worker; all topics exist afterwards."""
    port = free_port()
    sections = demo_settings(broker.bootstrap, bundle, folder, port)
    write_config(folder / "worker.toml", sections)
    settings = parse_settings(sections)
    broker.create_topics([topic.name for topic in wanted_topics(settings)])
    return folder / "worker.toml", f"http://127.0.0.1:{port}", TopicNames.of(settings)


def _start_ms() -> int:
    today = int(time.time() * 1000) // DAY_MS
    return (today - AGO_DAYS) * DAY_MS


@contextlib.contextmanager
def _stop_by_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; the second time they interrupt at once."""
    stopping = threading.Event()

    def handle(number: int, _: Any) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
