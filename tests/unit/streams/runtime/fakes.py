"""Edges of the runtime without a broker: batches, events, a producer, a Faust app not started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.runtime.dead_letters import topic
from streams.runtime.sending.publisher import MAX_BATCH_BYTES, Publisher
from streams.runtime.table.user_table import UserTable
from streams.runtime.transport.fetched_batch import FetchedBatch
from streams.runtime.transport.transport import SCHEME, BatchTopic
from streams.settings import Settings, parse_settings

DEEP = b'{"x":' + b"[" * 100_000
"""JSON that no parser goes down into."""
KeyValue = tuple[bytes | None, bytes | None]


def settings(**sections: Any) -> Settings:
    platforms = [
        {"name": "video"},
        {"name": "shop", "ids": "linked", "topics": {"click": ["clicks", "taps"], "any": "all"}},
    ]
    return parse_settings({"platforms": platforms, **sections})


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


async def until(condition: Callable[[], object]) -> None:
    """Let the others run until it is so."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to be")


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


def publisher_of(producer: FakeProducer, partitions: int = 2) -> Publisher:
    """A publisher that sends with this producer; every topic has so many partitions."""
    publisher = Publisher({})
    publisher._producer = producer

    async def count(topic: str) -> int:
        return partitions

    publisher.partitions = count  # type: ignore[method-assign]
    return publisher


class FakeConsumer:
    """Reads the dead letters: two partitions, in two polls."""

    records: ClassVar[Sequence[tuple[int, bytes | None, bytes | None]]] = ()
    failure: ClassVar[Exception | None] = None
    gate: ClassVar[asyncio.Event | None] = None
    """Reading begins when it is set."""
    readings: ClassVar[int] = 0

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have every reader of the dead letters be one of these; the topic is empty."""
        monkeypatch.setattr(topic, "Consumer", cls)
        for name, value in (("records", ()), ("failure", None), ("gate", None), ("readings", 0)):
            monkeypatch.setattr(cls, name, value)

    def __init__(self, **options: Any) -> None:
        assert options["enable_auto_commit"] is False
        self._at = 0

    async def __aenter__(self) -> Self:
        FakeConsumer.readings += 1
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    def assign(self, partitions: Any) -> None:
        assert [p.partition for p in partitions] == [0, 1]

    async def seek_to_beginning(self, *partitions: Any) -> None:
        self._at = 0

    async def end_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, len(self.records))

    async def position(self, partition: Any) -> int:
        return self._at

    async def getmany(self, timeout_ms: int) -> dict[Any, list[Any]]:
        half = self.records[self._at : self._at + max(1, len(self.records) // 2)]
        self._at += len(half)
        return {
            TopicPartition("letters", partition): [
                SimpleNamespace(key=key, value=value)
                for number, key, value in half
                if number == partition
            ]
            for partition in (0, 1)
        }
