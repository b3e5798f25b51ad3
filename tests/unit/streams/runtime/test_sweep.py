"""Dead letters that hold erased ids are taken back under their own keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Self

import aiokafka
import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.record.default_records import DefaultRecordBatch

from streams.errors import PublishError, RecordError
from streams.intake import deadletter
from streams.interest.effects import Erased
from streams.runtime import sweep
from streams.runtime.publisher import Publisher
from streams.runtime.sweep import LetterSweeper
from tests.unit.streams.runtime.fakes import FakeProducer


def letter(raw: bytes) -> bytes:
    made = deadletter.make_letter(
        error=RecordError("no_item", "item_id", "", "send one"),
        platform="shop", source=("shop.click", 0, 1), timestamp_ms=1, key=None, raw=raw, seen_ms=2,
    )  # fmt: skip
    return deadletter.encode(made)


ANNS, BOBS = letter(b'{"user_id": "ann"}'), letter(b'{"user_id": "bob"}')


class FakeConsumer:
    """Two partitions, read in two polls."""

    records: Sequence[tuple[int, bytes | None, bytes | None]] = ()
    failure: Exception | None = None

    def __init__(self, **options: Any) -> None:
        assert options["enable_auto_commit"] is False
        self._at = 0

    async def __aenter__(self) -> Self:
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(0)
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
            aiokafka.TopicPartition("letters", partition): [
                SimpleNamespace(key=key, value=value)
                for number, key, value in half
                if number == partition
            ]
            for partition in (0, 1)
        }


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> FakeProducer:
    monkeypatch.setattr(sweep, "Consumer", FakeConsumer)
    monkeypatch.setattr(FakeConsumer, "failure", None)
    return FakeProducer()


def sweeper(producer: FakeProducer) -> LetterSweeper:
    publisher = Publisher({})
    publisher._producer = producer

    async def partitions(topic: str) -> int:
        return 2

    publisher.partitions = partitions  # type: ignore[method-assign]
    return LetterSweeper({}, "letters", publisher)


async def test_letters_of_the_erased_are_taken_back_where_they_lie(
    producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        (0, b"a", ANNS),
        (1, b"b", ANNS),
        (0, b"c", BOBS),
        (0, b"d", ANNS),
        (0, b"d", None),
        (1, None, ANNS),
        (1, b"e", b"not a letter"),
    ]
    monkeypatch.setattr(FakeConsumer, "records", records)
    assert await sweeper(producer).sweep([Erased("", "ann"), Erased("news", "bob")]) == 2
    sent = [
        (partition, row.key, row.value)
        for _, partition, raw in producer.batches
        for row in DefaultRecordBatch(bytearray(raw))
    ]
    assert sent == [(0, b"a", None), (1, b"b", None)]


async def test_without_erasures_nothing_is_read(producer: FakeProducer) -> None:
    assert await sweeper(producer).sweep([]) == 0
    assert producer.batches == []


async def test_letters_that_cannot_be_read_end_the_batch(
    producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConsumer, "failure", KafkaConnectionError())
    with pytest.raises(PublishError, match="reading letters for an erasure failed"):
        await sweeper(producer).sweep([Erased("", "ann")])


async def test_ids_that_come_while_it_reads_are_looked_for_together(
    producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConsumer, "records", [(0, b"a", ANNS), (1, b"b", BOBS)])
    one = sweeper(producer)
    ann, bob = Erased("", "ann"), Erased("", "bob")
    found = await asyncio.gather(*(one.sweep([who]) for who in (ann, bob, ann, bob)))
    # The first reads for Ann alone, the second for all who came meanwhile.
    assert found == [1, 2, 0, 0]
    assert one.looked_at == 4
