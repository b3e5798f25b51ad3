"""Dead letters that hold erased ids are taken back under their own keys."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.record.default_records import DefaultRecordBatch

from streams.effects.effects import Erased
from streams.errors import PublishError
from streams.intake.dead_letters import dead_letter
from streams.runtime.dead_letters.sweep import LetterSweeper
from streams.runtime.dead_letters.topic import LetterTopic
from tests.unit.streams.dead_letters import letter_of
from tests.unit.streams.runtime.fakes import FakeConsumer, FakeProducer, publisher_of

ANNS, BOBS = (
    dead_letter.encode(letter_of(b'{"user_id": "%s"}' % name)) for name in (b"ann", b"bob")
)


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> FakeProducer:
    FakeConsumer.install(monkeypatch)
    return FakeProducer()


def sweeper(producer: FakeProducer) -> LetterSweeper:
    publisher = publisher_of(producer)
    return LetterSweeper(LetterTopic({}, "letters", publisher), publisher)


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
    assert one._topic.looked_at == 4
