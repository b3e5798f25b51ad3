"""A public dataset streamed as its platforms' events.

Items first, then the events in order of event time. Event time travels in the value; the
records themselves are stamped with now, or the broker's retention would delete events that
are years old. The event ids are the dataset's row numbers, so a second replay of the same
data is told from new events: what the window still holds counts as duplicates.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from models.data.table import EventTable
from streams.demo.producer import NativeProducer, TopicNames
from streams.errors import InterestStreamError

Int64 = NDArray[np.int64]
CHUNK: Final = 5_000
"""Events between two looks at failures, progress and the clock (at full speed)."""


class ReplayError(InterestStreamError):
    """A dataset can't be replayed, or not in the way that was asked for."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast to replay.

    Attributes:
        per_second: events a second; None: not limited by this.
        factor: times the dataset's own timing; None: not limited by this.
    """

    per_second: float | None = None
    factor: float | None = None

    @classmethod
    def parse(cls, text: str) -> Speed:
        """``max``, ``3600`` (times the dataset's own timing) or ``500/s`` (events a second).

        Raises:
            ReplayError: it is none of these.
        """
        if text == "max":
            return cls()
        number = text.removesuffix("/s")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not 0.0 < value < float("inf"):
            raise ReplayError(
                f"speed {text!r} can't be used; give max, a factor on the dataset's own timing "
                "(3600: an hour each second), or events a second (500/s)"
            )
        return cls(per_second=value) if text.endswith("/s") else cls(factor=value)

    def due_s(self, number: int, elapsed_ms: int) -> float:
        """When an event is due, in seconds after the first.

        Args:
            number: how many events came before it.
            elapsed_ms: event time since the first event.
        """
        if self.per_second is not None:
            return number / self.per_second
        return elapsed_ms / 1000.0 / self.factor if self.factor is not None else 0.0


def replay(producer: NativeProducer, table: EventTable, speed: Speed, name: str) -> None:
    """Send all items and events of a dataset; print the counts by platform and action.

    Args:
        producer: sends to the platforms' topics, which exist.
        table: the dataset.
        speed: how fast.
        name: prefix of the event ids.
    """
    rows = table.by_time()
    started = time.monotonic()
    producer.require(sorted(topics_of(table, producer.topics)))
    items = send_items(producer, table)
    print(f"{items:,} items; {len(rows):,} events to {producer.bootstrap}", file=sys.stderr)
    send_events(
        producer, table, rows, Pace(speed, lambda done: show_progress(done, len(rows))), prefix=name
    )
    producer.flush()
    seconds = time.monotonic() - started
    print(count_table(table, rows))
    print(f"{len(rows):,} events in {seconds:.1f} s: {len(rows) / seconds:,.0f} events/s")


def table_name(path: Path) -> str:
    """Prefix of the event ids of a dataset."""
    return path.resolve().stem


def topics_of(table: EventTable, topics: TopicNames) -> set[str]:
    """Every topic that a replay of ``table`` writes to."""
    pairs = np.unique(table.platform.astype(np.int64) * len(ACTIONS) + table.action)
    names = {
        topics.event(table.platforms[pair // len(ACTIONS)], ACTIONS[pair % len(ACTIONS)])
        for pair in pairs.tolist()
    }
    return names | {topics.item(platform) for platform in table.platforms}


def send_items(producer: NativeProducer, table: EventTable) -> int:
    """Announce the items that have a title; returns how many.

    The items topic carries what a worker can make a vector from; an item without a title is
    known from the bundle or not at all.
    """
    sent = 0
    for platform, items in zip(table.platforms, table.items, strict=True):
        for item, title, category in zip(items.ids, items.titles, items.categories, strict=True):
            if title:
                producer.send_item(platform, item, title, category)
                sent += 1
    producer.flush()
    return sent


class Pace:
    """Keeps a replay to its speed.

    Args:
        speed: how fast.
        report: called now and then with the number of events done.
        clock: monotonic seconds.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        speed: Speed,
        report: Callable[[int], None] = lambda done: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limited = speed != Speed()
        self.report = report
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._start: float | None = None

    def wait(self, number: int, elapsed_ms: int) -> None:
        """Wait until an event is due (see :meth:`Speed.due_s`)."""
        if self._start is None:
            self._start = self._clock()
        ahead = self._start + self._speed.due_s(number, elapsed_ms) - self._clock()
        if ahead > 0:
            self._sleep(ahead)


def send_events(
    producer: NativeProducer,
    table: EventTable,
    rows: Int64,
    pace: Pace,
    prefix: str,
) -> None:
    """Send the events ``rows`` of a table, in this order.

    Raises:
        ReplayError: a speed was asked for and the data has no times.
        BrokerError: the broker refuses or is gone.
    """
    first = int(table.time_ms[rows[0]]) if len(rows) else 0
    if pace.limited and not table.time_ms.any():
        raise ReplayError("the dataset has no times, so it has no speed; use --speed max")
    number = 0
    for topic, key, value, time_ms in encode_events(table, rows, producer.topics, prefix):
        if pace.limited:
            pace.wait(number, time_ms - first)
        producer.send(topic, key, value)
        number += 1
        if number % CHUNK == 0:
            producer.poll()
            pace.report(number)
    pace.report(number)


def encode_events(
    table: EventTable, rows: Int64, topics: TopicNames, prefix: str
) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Topic, key, value and event time (ms) of events.

    What repeats (users, items, actions) is made into JSON once, so a row costs one string.
    """
    users = [json.dumps(user) for user in table.users]
    items = [[json.dumps(item) for item in catalogue.ids] for catalogue in table.items]
    names = [[topics.event(p, action) for action in ACTIONS] for p in table.platforms]
    head = json.dumps(prefix)[:-1]
    columns = (table.user, table.platform, table.action, table.item, table.time_ms)
    chosen: Iterable[list[int]] = (column[rows].tolist() for column in columns)
    for row, user, platform, action, item, time_ms in zip(rows.tolist(), *chosen, strict=True):
        value = (
            f'{{"event_id":{head}-{row}","user_id":{users[user]},"action":"{ACTIONS[action]}",'
            f'"item_id":{items[platform][item]},"time":{time_ms}}}'
        )
        yield names[platform][action], table.users[user].encode(), value.encode(), time_ms


def count_table(table: EventTable, rows: Int64) -> str:
    """Lines with the number of events by platform and action."""
    counts = Counter(zip(table.platform[rows].tolist(), table.action[rows].tolist(), strict=True))
    width = max(map(len, (*table.platforms, "platform")))
    lines = [f"{'platform':{width}}  {'action':9}  {'events':>10}"]
    for (platform, action), count in sorted(counts.items()):
        lines.append(f"{table.platforms[platform]:{width}}  {ACTIONS[action]:9}  {count:>10,}")
    lines.append(f"{'total':{width}}  {'':9}  {len(rows):>10,}")
    return "\n".join(lines)


def show_progress(done: int, total: int) -> None:
    """How far it is, on a terminal's last line."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done:,} of {total:,} ({done / total:.0%})", end=end, file=sys.stderr, flush=True)
