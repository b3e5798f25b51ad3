"""The whole line on one machine: broker, worker, simulated people, subscribers, judgement."""

from __future__ import annotations

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
from streams.demo.broker import LINGER_MS, EmbeddedBroker
from streams.demo.line_settings import configure
from streams.demo.producer import NativeProducer
from streams.demo.run import INTERRUPTED, DemoRun, say
from streams.demo.simulator.people import DAY_MS
from streams.demo.simulator.simulator import Simulator
from streams.demo.worker_process import WorkerProcess

AGO_DAYS: Final = 1000
"""The simulated days lie this far back, so that simulated time never overtakes the real one."""


def run_demo(folder: Path, users: int, seed: int, seconds: float | None) -> int:
    """Run the demo until ``seconds`` are over, or Ctrl-C.

    Args:
        folder: the bundle's.
        users: number of people.
        seed: of the people.
        seconds: None: until it is stopped.

    Returns:
        0 only if vectors follow the simulator's truth better than popularity.
    """
    console = Console(highlight=False)
    # A warning of a client would land in the middle of a frame; a failure is raised anyway.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    bundle = Bundle.load(folder)
    simulator = Simulator(
        seed, users,
        start_ms=_start_ms(), drift_days=5.0, duplicate_rate=0.01, late_rate=0.005,
    )  # fmt: skip
    with (
        _stop_by_signal() as stopping,
        tempfile.TemporaryDirectory(prefix="interest-stream-") as scratch,
        EmbeddedBroker() as broker,
    ):
        say(f"embedded broker on {broker.bootstrap}; starting the worker ...")
        config, http, topics = configure(broker, Path(scratch), folder)
        with (
            WorkerProcess(config, http, Path(scratch) / "worker.log") as worker,
            NativeProducer(broker.bootstrap, topics, linger_ms=LINGER_MS) as producer,
        ):
            if not worker.wait_ready(stopping):
                return INTERRUPTED
            return DemoRun(simulator, bundle, worker, producer, console).run(seconds, stopping)


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
