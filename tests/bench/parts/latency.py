"""From an event's way into the log to its vector, at steady rates; and the CPU that it takes."""

from __future__ import annotations

import sys
import threading
import time
from statistics import median
from typing import Any, Final

import numpy as np
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

from tests.bench.graph import ITEMS
from tests.bench.race.contestant import Contestant, Place
from tests.bench.race.contestants import CONTESTANTS
from tests.bench.race.process import Pinned
from tests.bench.race.race import Job
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import ONE_AT_A_TIME, Traffic, make_producer, make_traffic, produce

RATES: Final = (20, 2_000, 20_000)
WARM: Final = 2_000
SKIPPED: Final = 0.2
"""This part of the time comes before the measurement: the first batches of a rate are odd."""
TICK_S: Final = 0.0005
LATE_S: Final = 120.0
"""So long is waited for the last vectors."""
TAKING_PART: Final = ("ours", "loop")


def latency(bench: Bench) -> Figures:
    """Ours and the loop at 20, 2,000 and 20,000 events a second."""
    names = [name for name in bench.options.only if name in TAKING_PART]
    runs: dict[str, dict[str, list[Figures]]] = {
        name: {str(rate): [] for rate in RATES} for name in names
    }
    sys.setswitchinterval(0.0002)  # the sender and the listener are threads of one process
    for number in range(bench.options.rounds):
        for rate in RATES:
            for name in list(runs):
                with bench.attempt(failing := f"latency/{name}"):
                    figures = measure(bench, CONTESTANTS[name], rate, bench.options.latency_s)
                    runs[name][str(rate)].append(figures)
                    _say(number, name, rate, figures)
                if failing in bench.failed:
                    del runs[name]
    return {name: {rate: summary(f) for rate, f in of.items()} for name, of in runs.items()}


def _say(number: int, name: str, rate: int, figures: Figures) -> None:
    sys.stderr.write(
        f"  round {number + 1}: {name:6} {rate:6,}/s  p50 {figures['p50_ms']:6.1f} ms  "
        f"p99 {figures['p99_ms']:7.1f} ms  {figures['cores']:.2f} cores\n"
    )


def summary(runs: list[Figures]) -> Figures:
    """Median and both ends."""
    found: Figures = {
        name: {
            "median": median(run[name] for run in runs),
            "low": min(run[name] for run in runs),
            "high": max(run[name] for run in runs),
        }
        for name in ("p50_ms", "p99_ms", "max_ms", "cores")
    }
    return found | {"runs": runs}


def measure(bench: Bench, contestant: Contestant, rate: int, seconds: float) -> Figures:
    """One contestant at one rate."""
    options = bench.options
    count = WARM + max(40, int(rate * seconds))
    traffic = make_traffic(count, options.users, ITEMS, options.partitions)
    place, race = bench.place(contestant.name), bench.race
    values = contestant.records(place, traffic, bench.model.items)

    def go(process: Pinned) -> Figures:
        return _steady(place, contestant, traffic, values, rate, process)

    return race.accompany(contestant, place, Job(traffic, WARM, values=values), go)


class Listener(threading.Thread):
    """Notes when each vector comes; reads them afterwards."""

    def __init__(self, place: Place, topic: str, begin: list[int]) -> None:
        super().__init__(daemon=True)
        self._consumer = Consumer(
            {
                "bootstrap.servers": place.bootstrap,
                "group.id": f"{place.name}-listener",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
                "fetch.queue.backoff.ms": 1,
            }
        )
        self._consumer.assign([TopicPartition(topic, p, o) for p, o in enumerate(begin)])
        self._over = threading.Event()
        self.heard: list[tuple[float, bytes]] = []

    def run(self) -> None:
        """Until :meth:`stop`."""
        while not self._over.is_set():
            messages: list[Any] = self._consumer.consume(1000, 0.002)
            if messages:
                now = time.monotonic()
                self.heard += [(now, m.value()) for m in messages if m.error() is None]

    def stop(self) -> None:
        """Stop listening."""
        self._over.set()
        self.join()
        self._consumer.close()


def _steady(
    place: Place,
    contestant: Contestant,
    traffic: Traffic,
    values: list[bytes],
    rate: int,
    process: Pinned,
) -> Figures:
    topic = contestant.vectors(place)
    listener = Listener(place, topic, _ends(place, topic))
    listener.start()
    try:
        sent, cores = _send(place, traffic, values, rate, process)
        _wait_for_all(contestant, traffic, listener, process)
    finally:
        listener.stop()
    waits = _waits(contestant, traffic, listener.heard, sent)
    waits = waits[int(len(waits) * SKIPPED) :] * 1000.0
    return {
        "p50_ms": float(np.percentile(waits, 50)),
        "p99_ms": float(np.percentile(waits, 99)),
        "max_ms": float(waits.max()),
        "cores": cores,
        "events": len(waits),
    }


def _wait_for_all(
    contestant: Contestant, traffic: Traffic, listener: Listener, process: Pinned
) -> None:
    """Until every user that had an event has a vector with all of them in it.

    Raises:
        EndedError: some are still missing when it should long be over.
    """
    wanted = np.bincount(traffic.user, minlength=traffic.users)
    missing = {int(user): int(wanted[user]) for user in np.unique(traffic.user[WARM:])}
    deadline, begin = time.monotonic() + LATE_S, 0
    while missing:
        end = len(listener.heard)
        for _, value in listener.heard[begin:end]:
            seen = contestant.read_vector(value)
            user = user_number(seen.user)
            if missing.get(user) == seen.events:
                del missing[user]
        begin = end
        process.check()
        if time.monotonic() > deadline:
            raise process.error(f"{len(missing)} users wait for their last vectors")
        time.sleep(0.05)


def user_number(name: str) -> int:
    """Number of a user, from the id."""
    return int(name.rpartition("-")[2])


def _ends(place: Place, topic: str) -> list[int]:
    reader = Consumer({"bootstrap.servers": place.bootstrap, "group.id": f"{place.name}-ends"})
    ends = [
        int(reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1])
        for p in range(place.partitions)
    ]
    reader.close()
    return ends


def _send(
    place: Place, traffic: Traffic, values: list[bytes], rate: int, process: Pinned
) -> tuple[NDArray[np.float64], float]:
    """Send all events after the first ones at a rate; when each went, and the CPU meanwhile."""
    producer = make_producer(place.bootstrap, linger_ms=1, in_order=ONE_AT_A_TIME)
    produce(producer, place.events, traffic, [], 0)  # connected
    rest = range(WARM, len(traffic))
    users, keys = traffic.user.tolist(), traffic.keys
    partition = traffic.partition_of_user.tolist()
    sent = np.zeros(len(traffic))
    began = time.monotonic()
    measured_from = WARM + int(len(rest) * SKIPPED)
    cpu_then = then = 0.0
    done = WARM
    while done < len(traffic):
        due = min(len(traffic), WARM + int((time.monotonic() - began) * rate))
        for event in range(done, due):
            user = users[event]
            if event == measured_from:
                cpu_then, then = process.cpu(), time.monotonic()
            sent[event] = time.monotonic()
            producer.produce(place.events, values[event], keys[user], partition[user])
        done = max(done, due)
        producer.poll(0)
        time.sleep(TICK_S)
    cores = (process.cpu() - cpu_then) / (time.monotonic() - then)
    left = producer.flush(60)
    assert left == 0, f"{left} records weren't delivered: the broker can't keep up"
    return sent, cores


def _waits(
    contestant: Contestant,
    traffic: Traffic,
    heard: list[tuple[float, bytes]],
    sent: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Seconds until a vector that has the event in it, for each event in turn.

    Raises:
        AssertionError: an event isn't in any vector.
    """
    counts: dict[int, list[int]] = {}
    times: dict[int, list[float]] = {}
    for when, value in heard:
        seen = contestant.read_vector(value)
        user = user_number(seen.user)
        counts.setdefault(user, []).append(seen.events)
        times.setdefault(user, []).append(when)
    number = [0] * traffic.users
    waits: list[float] = []
    for event, user in enumerate(traffic.user.tolist()):
        number[user] += 1
        if event < WARM:
            continue
        place = int(np.searchsorted(counts.get(user, []), number[user]))
        assert place < len(counts.get(user, [])), f"event {event} of user {user} has no vector"
        waits.append(times[user][place] - sent[event])
    return np.array(waits)
