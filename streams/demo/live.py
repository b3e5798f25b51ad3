"""The moving parts of the demo: what is produced, what is received, and how fast."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.demo.board import Board, Happened
from streams.demo.broker import KAFKA_PYTHON_CONFIG, PARTITIONS
from streams.demo.by_hand import BY_HAND
from streams.demo.producer import NativeProducer
from streams.demo.running import SimClock
from streams.demo.simulator.catalogue import items_by_id
from streams.demo.simulator.simulator import SimEvent, SimLink, Simulator
from streams.subscribe.feed import InterestFeed
from streams.subscribe.schema import Tombstone

RATE_OVER_S: Final = 4.0
LATENCIES: Final = 100_000
"""How many of the newest latencies the percentiles are made from."""


class Rate:
    """Events a second over the last seconds, from a growing total."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, now_s: float, total: int) -> float:
        """Note the total at a time; the rate since a few seconds before."""
        self._samples.append((now_s, total))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= RATE_OVER_S:
            self._samples.popleft()
        (then_s, then), passed = self._samples[0], now_s - self._samples[0][0]
        del then_s
        return (total - then) / passed if passed > 0 else 0.0


class Line:
    """Threads around a :class:`Board`: the producer, one feed per target, and the watcher.

    Args:
        board: what is told and judged; touched under :attr:`lock` only.
        simulator: makes the events.
        producer: sends them.

    Attributes:
        lock: guards ``board`` and the latencies.
        sent: events sent.
        links: links sent.
        failure: what ended a thread, None while all is well.
    """

    def __init__(self, board: Board, simulator: Simulator, producer: NativeProducer) -> None:
        self.board = board
        self.lock = threading.Lock()
        self.sent = 0
        self.links = 0
        self.failure: BaseException | None = None
        self._producer = producer
        self._arrivals = simulator.stream()
        self._next = next(self._arrivals)
        self._stop = threading.Event()
        self._stop_producing = threading.Event()
        self._feeds: list[InterestFeed] = []
        self._threads: list[threading.Thread] = []
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._live_since_ms: int | None = None

    def subscribe(self, targets: Iterable[str]) -> None:
        """Receive the vectors of these targets from now on."""
        for target in targets:
            feed = InterestFeed(self._producer.bootstrap, target, **KAFKA_PYTHON_CONFIG)
            self._feeds.append(feed)
            self._start(partial(self._receive, feed), f"feed {target}")

    def watch(self, topics: Mapping[str, str]) -> None:
        """Look out for events that somebody else sends by hand.

        Args:
            topics: platform to the topic of its events.
        """
        config = {
            "bootstrap.servers": self._producer.bootstrap,
            "group.id": "demo-watcher",
            "enable.auto.commit": False,
            # The embedded broker answers a fetch only when this time is over.
            "fetch.wait.max.ms": 20,
        }
        consumer = Consumer(config)
        places = [(name, part) for name in topics.values() for part in range(PARTITIONS)]
        consumer.assign([TopicPartition(*one, -1) for one in places])  # -1: from the end
        platforms = {topic: platform for platform, topic in topics.items()}
        self._start(partial(self._look, consumer, platforms), "watcher")

    def send_past(self, until_ms: int) -> None:
        """Send what arrived before a simulated time, as fast as it goes."""
        while self._next.arrival_ms < until_ms:
            self._send_next()
        self._producer.flush()

    def produce(self, clock: SimClock) -> None:
        """Send what comes now, each event at its time."""
        self._live_since_ms = clock.wall_ms
        self._start(partial(self._produce, clock), "producer")

    def stop_producing(self) -> None:
        """Send nothing more; vectors are still received."""
        self._stop_producing.set()
        self._threads[-1].join(10)

    def stop(self) -> None:
        """End all threads."""
        self._stop_producing.set()
        self._stop.set()
        for feed in self._feeds:
            feed.close()
        for thread in self._threads:
            thread.join(10)

    def latencies(self) -> tuple[float, float] | None:
        """Median and 99th percentile in seconds from event to vector; None without any."""
        with self.lock:
            values = np.array(self._latencies)
        if not len(values):
            return None
        median, high = np.percentile(values, [50, 99]).tolist()
        return median, high

    def _start(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is: the demo must end with it, not go on without
            if not self._stop.is_set():
                self.failure = self.failure or error

    def _produce(self, clock: SimClock) -> None:
        while True:
            due_s = clock.wall_at(self._next.arrival_ms) / 1000.0
            if self._stop_producing.wait(max(0.0, due_s - time.time())):
                break
            self._send_next()
        self._producer.flush()

    def _send_next(self) -> None:
        self._send(self._next)
        self._next = next(self._arrivals)

    def _send(self, arrival: SimEvent | SimLink) -> None:
        if isinstance(arrival, SimLink):
            self._producer.send_link(arrival.platform, arrival.local_id, arrival.user)
            self.links += 1
            return
        item = items_by_id()[arrival.platform, arrival.item_id]
        event = Happened(arrival.user, arrival.platform, arrival.action, item, arrival.time_ms)
        with self.lock:
            self.board.add_event(event)
        self._producer.send_event(arrival.platform, arrival.action, native(arrival))
        self._producer.poll()
        self.sent += 1

    def _receive(self, feed: InterestFeed) -> None:
        for update in feed:
            with self.lock:
                if isinstance(update, Tombstone):
                    self.board.forget(update.target, update.id)
                    continue
                share = update.sources.get(update.target, 0.0)
                labels = None if update.labels is msgspec.UNSET else update.labels
                self.board.add_update(
                    update.target, update.id, update.vector, update.as_of_ms, share, labels
                )
                since = self._live_since_ms
                if since is not None and update.event_ts_ms >= since:
                    self._latencies.append((update.published_ms - update.event_ts_ms) / 1000.0)

    def _look(self, consumer: Consumer, platforms: Mapping[str, str]) -> None:
        mark = f'"event_id":"{BY_HAND}'.encode()
        while not self._stop.is_set():
            for message in consumer.consume(1000, timeout=0.2):
                value = message.value()
                if value is not None and mark in value:
                    platform = platforms[str(message.topic())]
                    self._add_by_hand(platform, msgspec.json.decode(value))
        consumer.close()

    def _add_by_hand(self, platform: str, value: dict[str, Any]) -> None:
        item = items_by_id().get((platform, str(value.get("item_id"))))
        user = value.get("user_id") or self.board.user_of(platform, str(value.get("local_id")))
        if item is None or user is None:
            return
        time_ms = int(value["time"])
        with self.lock:
            self.sent += 1
            self.board.add_event(
                Happened(user, platform, value["action"], item, time_ms, by_hand=True)
            )


def native(event: SimEvent) -> dict[str, Any]:
    """The event as its platform sends it: under the id that the platform knows."""
    shared = event.local_id is None
    who = {"user_id": event.user} if shared else {"local_id": event.local_id}
    return {
        "event_id": event.event_id,
        **who,
        "action": event.action,
        "item_id": event.item_id,
        "time": event.time_ms,
    }
