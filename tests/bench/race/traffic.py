"""Events of the benchmark: who does what when, and the log's records of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.log.keys import stable_hash, user_key
from streams.log.partition import partitions_of
from streams.log.records import Event, Via
from tests.bench.graph import PLATFORMS

START_MS: Final = 1_767_225_600_000  # 2026-01-01
SKEW: Final = 0.8
"""Users are drawn by rank^-SKEW, items too; as in the first measurement of the peers."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """Events in the order in which they happen; columns of equal length n.

    Attributes:
        users: how many users there are.
        user: user of each event, 0 the busiest.
        item: row of the item.
        action: index into ``ACTIONS``.
        time_ms: event time, growing.
        partitions: partitions of the log.
    """

    users: int
    user: Int64
    item: Int64
    action: Int64
    time_ms: Int64
    partitions: int

    def __len__(self) -> int:
        return len(self.user)

    def first(self, count: int) -> Traffic:
        """The first ``count`` events."""
        return Traffic(
            self.users,
            self.user[:count],
            self.item[:count],
            self.action[:count],
            self.time_ms[:count],
            self.partitions,
        )

    @cached_property
    def keys(self) -> list[bytes]:
        """Key of each user in the log."""
        return [user_key(name).encode() for name in user_names(self.users)]

    @cached_property
    def partition_of_user(self) -> Int64:
        """Log partition of each user [users]."""
        return np.array(partitions_of(self.keys, self.partitions), np.int64)

    @cached_property
    def source_offset(self) -> Int64:
        """Offset of each event in its source partition, as intake would have read it."""
        partition = self.partition_of_user[self.user]
        offsets = np.empty(len(self), np.int64)
        for number in range(self.partitions):
            of_partition = np.flatnonzero(partition == number)
            offsets[of_partition] = np.arange(len(of_partition))
        return offsets

    def records(
        self,
        source_topic: str,
        begin: int,
        end: int,
        items: Sequence[str],
        encode: Callable[[Event], bytes],
    ) -> list[bytes]:
        """Values of the log's records of events ``begin`` to ``end``.

        Args:
            source_topic: topic from which intake says it has them.
            begin: first event.
            end: event after the last.
            items: item ids by row.
            encode: makes a value of an event, in the form that the reader likes best.
        """
        events = slice(begin, end)
        partition = self.partition_of_user[self.user[events]].tolist()
        columns = zip(
            range(begin, end),
            partition,
            self.source_offset[events].tolist(),
            self.action[events].tolist(),
            self.item[events].tolist(),
            self.time_ms[events].tolist(),
            strict=True,
        )

        def event(number: int, p: int, offset: int, action: int, item: int, ms: int) -> Event:
            via, identity = Via(source_topic, p, offset, 0), f"{source_topic}/{number}"
            name, what = ACTIONS[action], items[item]
            return Event(via, PLATFORMS[0], name, what, ms, stable_hash(identity), ms)

        return [encode(event(*row)) for row in columns]


def json_events(traffic: Traffic, items: Sequence[str]) -> list[bytes]:
    """The events as a platform sends them: our native JSON."""
    names = user_names(traffic.users)
    encode = msgspec.json.Encoder().encode
    columns = zip(
        traffic.user.tolist(), traffic.item.tolist(), traffic.time_ms.tolist(), strict=True
    )
    return [
        encode(
            {"event_id": f"e{n}", "user_id": names[user], "item_id": items[item], "time": time_ms}
        )
        for n, (user, item, time_ms) in enumerate(columns)
    ]


def user_names(users: int) -> list[str]:
    """Ids of users, by their number."""
    return [f"user-{number:06d}" for number in range(users)]


def make_traffic(
    events: int, users: int, items: int, partitions: int, skew: float = SKEW, seed: int = 1
) -> Traffic:
    """Draw events; the first n of them are the same whatever ``events`` is."""
    rng = np.random.default_rng(seed)
    user = np.searchsorted(_shares(users, skew), rng.random(events)).astype(np.int64)
    rng = np.random.default_rng(seed + 1)
    item = np.searchsorted(_shares(items, SKEW), rng.random(events)).astype(np.int64)
    rng = np.random.default_rng(seed + 2)
    action = np.minimum(2, rng.geometric(0.7, events) - 1).astype(np.int64)
    time_ms = START_MS + 100 * np.arange(events, dtype=np.int64)
    return Traffic(users, user, item, action, time_ms, partitions)


def _shares(count: int, skew: float) -> NDArray[np.float64]:
    weights = np.arange(1, count + 1, dtype=np.float64) ** -skew
    sums: NDArray[np.float64] = np.cumsum(weights / weights.sum())
    sums[-1] = 1.0
    return sums


IDEMPOTENT: Final = {"enable.idempotence": True}
ONE_AT_A_TIME: Final = {"max.in.flight": 1}


def make_producer(
    bootstrap: str, linger_ms: float = 20, in_order: Mapping[str, Any] = IDEMPOTENT
) -> Producer:
    """A producer that fills a topic as fast as it can, in the order in which it is given.

    A topic that was made just now may lack its leader. What is sent again then mustn't come
    behind what was sent after it: the log is in the order of its sources, and a source position
    below one that was seen is a repeat (``streams.update.source_marks``). So it is idempotent, or
    sends one request at a time. (librdkafka's idempotent one spins where five are under way and
    more is due, and takes the core on which the broker is.)
    """
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            **in_order,
            "linger.ms": linger_ms,
            "batch.size": 1 << 20,
            "queue.buffering.max.messages": 5_000_000,
            "queue.buffering.max.kbytes": 2 << 20,
            "delivery.report.only.error": True,
            "on_delivery": _must_be_delivered,
            "log_level": 0,
        }
    )


def _must_be_delivered(error: object, _message: object) -> None:
    assert error is None, error


def produce(
    producer: Producer, topic: str, traffic: Traffic, values: list[bytes], begin: int
) -> None:
    """Send the records ``values`` of the events from ``begin`` on, and wait until they're in."""
    users = traffic.user[begin : begin + len(values)]
    partitions = traffic.partition_of_user[users].tolist()
    send, keys = producer.produce, traffic.keys
    for user, partition, value in zip(users.tolist(), partitions, values, strict=True):
        send(topic, value, keys[user], partition)
    left = producer.flush(60)
    assert left == 0, f"{left} records of {topic} weren't delivered"
