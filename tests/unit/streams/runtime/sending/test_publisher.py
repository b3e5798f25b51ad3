"""Whole batches to the producer: how they are cut, in which order, and what comes back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import NotEnoughReplicasError
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import PublishError
from streams.log.partition import partition_of
from streams.runtime.sending.publisher import (
    MAX_BATCH_BYTES,
    NO_HEADERS,
    Publisher,
    Record,
    Sent,
    by_partition,
)
from tests.unit.streams.runtime.fakes import FakeProducer


def record(value: bytes, key: bytes | None = b"k", stamp_ms: int = 1_000) -> Record:
    return key, value, stamp_ms, NO_HEADERS


def publisher(producer: FakeProducer) -> Publisher:
    made = Publisher({})
    made._producer = producer
    return made


def rows(producer: FakeProducer) -> list[tuple[int, bytes, int]]:
    """(partition, value, timestamp) of everything that was sent, in order."""
    return [
        (partition, row.value, row.timestamp)
        for _, partition, raw in producer.batches
        for row in DefaultRecordBatch(bytearray(raw))
    ]


async def test_a_batch_goes_out_whole_and_its_last_offset_comes_back() -> None:
    producer = FakeProducer()
    send = publisher(producer).send
    sent = await send("t", {2: [record(b"a"), record(b"b", stamp_ms=7)], 5: [record(b"c")]})
    assert await sent.wait() == {2: 1, 5: 0}
    assert producer.counts == [2, 1]
    assert rows(producer) == [(2, b"a", 1_000), (2, b"b", 7), (5, b"c", 1_000)]
    assert await (await send("t", {2: [record(b"d")]})).wait() == {2: 2}


async def test_keys_headers_and_missing_values_arrive_as_given() -> None:
    producer = FakeProducer()
    headers = [("schema", b"1")]
    await publisher(producer).send("t", {0: [(None, b"x", 1, []), (b"k", None, 2, headers)]})
    first, second = DefaultRecordBatch(bytearray(producer.batches[0][2]))
    assert (first.key, first.value, second.key, second.value) == (None, b"x", b"k", None)
    assert list(second.headers) == headers


async def test_record_batches_are_cut_below_the_brokers_limit_in_order() -> None:
    producer = FakeProducer()
    values = [bytes([n]) * 250_000 for n in range(10)]
    sent = await publisher(producer).send("t", {0: map(record, values)})
    assert producer.counts == [3, 3, 3, 1]
    assert all(len(raw) <= MAX_BATCH_BYTES for _, _, raw in producer.batches)
    assert [value for _, value, _ in rows(producer)] == values
    assert await sent.wait() == {0: 9}


async def test_a_record_too_large_for_any_batch_is_named() -> None:
    producer = FakeProducer()
    huge = record(b"x" * MAX_BATCH_BYTES)
    with pytest.raises(
        PublishError, match=r"record of 9\d+ bytes for t-3 .*900000.*window\.events"
    ):
        await publisher(producer).send("t", {3: [record(b"small"), huge, record(b"after")]})
    assert [value for _, value, _ in rows(producer)] == [b"small"]


async def test_nothing_to_send_sends_nothing() -> None:
    producer = FakeProducer()
    sent = await publisher(producer).send("t", {0: []})
    assert (await sent.wait(), producer.batches) == ({}, [])


async def test_sent_bytes_grow_with_what_goes_out() -> None:
    made = publisher(FakeProducer())
    await made.send("t", {0: [record(b"x" * 1_000)]})
    assert 1_000 < made.sent_bytes < 1_200


async def test_a_refused_batch_is_a_publish_error_that_says_where() -> None:
    producer = FakeProducer(acknowledge=False)
    sent = await publisher(producer).send("t", {4: [record(b"a")]})
    producer.futures[0].set_exception(NotEnoughReplicasError())
    with pytest.raises(PublishError, match=r"t-4 weren't acknowledged.*read again"):
        await sent.wait()


async def test_a_repeat_that_the_broker_knew_has_no_offset() -> None:
    sent = Sent("t")
    producer = FakeProducer(acknowledge=False)
    producer.futures = []
    for metadata in (SimpleNamespace(offset=10), None):
        future: Any = await producer.send_batch(producer.create_batch(), "t", partition=0)
        future.set_result(metadata)
        sent.add(0, 5, future)
    assert await sent.wait() == {0: 14}


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=4), st.integers(0, 999))))
def test_partitions_follow_the_key_and_keep_the_order(pairs: list[tuple[bytes, int]]) -> None:
    given_records = [record(b"%d" % n, key) for key, n in pairs]
    chosen = by_partition(given_records, 7)
    assert sorted(r for part in chosen.values() for r in part) == sorted(given_records)
    for number, part in chosen.items():
        assert all(partition_of(r[0] or b"", 7) == number for r in part)
        assert part == [r for r in given_records if partition_of(r[0] or b"", 7) == number]


def test_records_without_a_key_share_partition_0() -> None:
    assert by_partition([record(b"a", None), record(b"b", b"")], 8) == {
        0: [record(b"a", None), record(b"b", b"")]
    }
