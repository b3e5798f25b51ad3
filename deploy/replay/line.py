"""The line of a replay: a worker on a broker, a subscriber of every target, and barriers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.replay.bundle import ReplayJobError
from models.contract import ACTIONS
from models.data.table import EventTable
from streams.demo.worker_process import WorkerProcess
from streams.subscribe.feed import InterestFeed
from streams.subscribe.schema import InterestUpdate

ACCOUNTED: Final = (
    "interest_events_applied_total",
    "interest_events_skipped_total",
    "interest_dead_letters_total",
)
STALLED_S: Final = 60.0
POLL_S: Final = 0.05


def worker_sections(
    table: EventTable, bootstrap: str, bundle: Path, folder: Path, port: int
) -> dict[str, Any]:
    """Settings of a worker for the platforms and actions of a dataset."""
    pairs = np.unique(np.stack([table.platform, table.action], axis=1), axis=0).tolist()
    platforms = [
        {
            "name": name,
            "topics": {
                ACTIONS[action]: [f"{name}.{ACTIONS[action]}"] for p, action in pairs if p == number
            },
        }
        for number, name in enumerate(table.platforms)
    ]
    return {
        "service": {
            "name": "replay",
            "bundle": bundle.resolve(),
            "state_dir": folder / "state",
            "store": "rocksdb",
        },
        "kafka": {"bootstrap": [bootstrap]},
        "http": {"port": port},
        "platforms": [platform for platform in platforms if platform["topics"]],
    }


class Subscriber:
    """Keeps the latest vector of each user for each target, and every latency.

    Args:
        bootstrap: the broker.
        targets: platforms.
    """

    def __init__(self, bootstrap: str, targets: Sequence[str]) -> None:
        self._latest: dict[tuple[str, str], InterestUpdate] = {}
        self._latencies: list[float] = []
        self._lock = threading.Lock()
        self._feeds = [InterestFeed(bootstrap, target) for target in targets]
        self._failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._read, args=(feed,), daemon=True) for feed in self._feeds
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Disconnect."""
        for feed in self._feeds:
            feed.close()
        for thread in self._threads:
            thread.join(10)

    @property
    def received(self) -> int:
        """Number of vectors received."""
        with self._lock:
            return len(self._latencies)

    def latencies(self, since: int = 0) -> NDArray[np.float64]:
        """Seconds from event to vector, of every vector after the first ``since``."""
        with self._lock:
            return np.array(self._latencies[since:])

    def wait_for(self, wanted: Mapping[tuple[str, str], int]) -> None:
        """Wait until vectors have come that stand for so many events.

        Args:
            wanted: (target, user) to the number of events behind the vector.

        Raises:
            ReplayJobError: nothing more has come for a minute.
        """
        missing = dict(wanted)

        def progress() -> int:
            with self._lock:
                for key in [k for k, count in missing.items() if self._events(k) >= count]:
                    del missing[key]
                return len(self._latencies)

        wait_until(
            progress,
            lambda: not missing,
            lambda: (
                f"{len(missing):,} of {len(wanted):,} users' vectors haven't come, for "
                f"instance of {next(iter(missing))}"
            ),
        )
        if self._failures:
            raise ReplayJobError(f"the subscriber failed: {self._failures[0]}")

    def vector(self, target: str, user: str) -> NDArray[np.float32]:
        """The latest vector, float32 [V]."""
        with self._lock:
            return self._latest[target, user].vector

    def _events(self, key: tuple[str, str]) -> int:
        update = self._latest.get(key)
        return update.events if update is not None else -1

    def _read(self, feed: InterestFeed) -> None:
        try:
            for update in feed:
                if isinstance(update, InterestUpdate):
                    with self._lock:
                        self._latest[update.target, update.id] = update
                        waited = update.published_ms - update.event_ts_ms
                        self._latencies.append(waited / 1000.0)
        except Exception as error:
            self._failures.append(error)


def wait_applied(worker: WorkerProcess, sent: int) -> dict[str, float]:
    """Wait until the worker has accounted for every event sent; its totals.

    Raises:
        ReplayJobError: the worker gets nowhere for a minute.
        WorkerProcessError: it ended.
    """
    totals: dict[str, float] = {}

    def progress() -> int:
        totals.update(worker.totals())
        return int(sum(totals.get(name, 0.0) for name in ACCOUNTED))

    wait_until(
        progress,
        lambda: sum(totals.get(name, 0.0) for name in ACCOUNTED) >= sent,
        lambda: (
            "of {:,} events sent the worker has applied {:,.0f}, skipped {:,.0f} and refused "
            "{:,.0f}".format(sent, *(totals.get(name, 0.0) for name in ACCOUNTED))
        ),
    )
    return totals


def wait_until(
    progress: Callable[[], int], done: Callable[[], bool], state: Callable[[], str]
) -> None:
    """Look again and again until ``done``; ``progress`` is a number that rises on the way.

    Raises:
        ReplayJobError: it hasn't risen for a minute; the message has ``state``.
    """
    best, since = -1, time.monotonic()
    while True:
        now = progress()
        if done():
            return
        if now > best:
            best, since = now, time.monotonic()
        elif time.monotonic() - since > STALLED_S:
            raise ReplayJobError(f"nothing has moved for {STALLED_S:g} s: {state()}")
        time.sleep(POLL_S)
