"""Edges of the runtime without a broker: batches, events, a producer, a Faust app not started."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.runtime.publisher import MAX_BATCH_BYTES
from streams.runtime.table import BatchTopic, UserTable
from streams.runtime.transport import SCHEME, FetchedBatch

KeyValue = tuple[bytes | None, bytes | None]


def make_app(store: str = "memory://", datadir: Path | None = None) -> faust.App:
    """A Faust app as the worker configures it, never started."""
    more: dict[str, Any] = {"datadir": str(datadir)} if datadir else {}
    return faust.App(
        "runtime-test",
        broker=f"{SCHEME}://127.0.0.1:9",
        store=store,
        autodiscover=False,
        Topic=BatchTopic,
        Table=UserTable,
        topic_partitions=4,
        **more,
    )


def batch(
    offsets: Sequence[int],
    rows: Sequence[KeyValue] | None = None,
    topic: str = "t",
    partition: int = 0,
) -> FetchedBatch:
    """A fetched batch with these offsets."""
    pairs = [(b"k%d" % o, b"v%d" % o) for o in offsets] if rows is None else list(rows)
    return FetchedBatch(
        topic,
        partition,
        list(offsets),
        [1_000 + o for o in offsets],
        [key for key, _ in pairs],
        [value for _, value in pairs],
        [()] * len(pairs),
    )


class FakeEvent:
    """The part of a Faust event that a pipeline uses."""

    def __init__(self, value: FetchedBatch) -> None:
        self.value = value
        self.acks = 0

    def ack(self) -> bool:
        self.acks += 1
        return True


class FakeProducer:
    """aiokafka's producer with its real batch builder; batches are kept, not sent.

    ``acknowledge=False`` leaves the futures to the test.
    """

    def __init__(self, acknowledge: bool = True) -> None:
        self.batches: list[tuple[str, int, bytes]] = []
        self.counts: list[int] = []
        self.futures: list[asyncio.Future[Any]] = []
        self._acknowledge = acknowledge
        self._ends: dict[tuple[str, int], int] = {}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(MAX_BATCH_BYTES, 0)

    async def send_batch(
        self, builder: BatchBuilder, topic: str, *, partition: int
    ) -> asyncio.Future[Any]:
        count = builder.record_count()
        first = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = first + count
        self.batches.append((topic, partition, bytes(builder._build())))
        self.counts.append(count)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        if self._acknowledge:
            future.set_result(SimpleNamespace(offset=first))
        return future
