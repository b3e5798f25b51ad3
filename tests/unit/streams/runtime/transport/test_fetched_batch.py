"""Columns are what aiokafka would hand out, record for record, whatever is taken at once."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    READ_UNCOMMITTED,
    FetchResult,
    PartitionRecords,
)
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.transport.fetched_batch import (
    ColumnRecords,
    FetchedBatch,
    RawRecords,
    take_columns,
)

TP = TopicPartition("t", 3)
HEADERS = [("schema", b"1")]


class Assignment:
    """What aiokafka knows of a partition: active, and its position."""

    active = True

    def __init__(self, position: int) -> None:
        self.state = SimpleNamespace(paused=False, position=position)
        self.state.consumed_to = lambda to: setattr(self.state, "position", to)

    def state_value(self, tp: TopicPartition) -> Any:
        return self.state


def record_batch(base: int, count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for n in range(count):
        key, value = (b"k%d" % n, b"v%d" % (base + n)) if n % 5 else (None, b"")
        builder.append(n, 1_000 + n, key, value, HEADERS if n % 3 else [])
    raw = bytearray(builder.build())
    raw[:8] = base.to_bytes(8, "big")
    return bytes(raw)


def fetched(raw: bytes, position: int, isolation: int = READ_UNCOMMITTED) -> FetchResult:
    records = PartitionRecords(TP, RawRecords(raw), [], position, None, None, True, isolation)
    return FetchResult(TP, assignment=Assignment(position), partition_records=records, backoff=0)


def everything(result: FetchResult, sizes: Sequence[int], *, columns: bool) -> list[Any]:
    """What is taken, bit by bit, with the position after each."""
    taken: list[Any] = []
    turn = 0
    while result.has_more():
        size = sizes[turn % len(sizes)]
        found = take_columns(result, size) if columns else result.getall(size)
        if not isinstance(found, FetchedBatch):
            found = FetchedBatch.of(TP, found)
        taken.append((found, result._assignment.state.position))
        turn += 1
    return [part for part in taken if len(part[0])]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(0, 15),
    st.lists(st.integers(1, 30), min_size=1, max_size=3),
)
def test_columns_are_what_aiokafka_would_hand_out(
    counts: list[int], skipped: int, sizes: list[int]
) -> None:
    raw, base = b"", 100
    for count in counts:
        raw += record_batch(base, count)
        base += count
    position = 100 + min(skipped, counts[0] - 1)  # inside the first record batch
    ours = everything(fetched(raw, position), sizes, columns=True)
    theirs = everything(fetched(raw, position), sizes, columns=False)
    assert ours == theirs


@given(st.integers(1, 3), st.data())
def test_a_damaged_record_batch_is_said(before: int, data: st.DataObject) -> None:
    """Any bit of what the checksum is of, or of itself, and wherever the batch lies."""
    whole = b"".join(record_batch(3 * n, 3) for n in range(before))
    raw = bytearray(record_batch(3 * before, 3))
    raw[data.draw(st.integers(17, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CorruptRecordException, match="CRC"):
        take_columns(fetched(whole + bytes(raw), 0))


def test_a_record_batch_that_is_cut_off_waits_for_the_next_fetch() -> None:
    found = take_columns(fetched(record_batch(0, 3) + record_batch(3, 3)[:-1], 0))
    assert isinstance(found, FetchedBatch)
    assert found.offsets == [0, 1, 2]


def test_messages_of_brokers_before_0_11_are_read_and_checked() -> None:
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    builder.append(0, 1_000, b"k", b"v")
    raw = bytearray(builder.build())
    found = take_columns(fetched(bytes(raw), 0))
    assert isinstance(found, FetchedBatch)
    assert (found.keys, found.values) == ([b"k"], [b"v"])
    raw[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="CRC"):
        take_columns(fetched(bytes(raw), 0))


def test_nothing_is_taken_from_a_position_that_was_left() -> None:
    result = fetched(record_batch(0, 3), 0)
    result._assignment.state.position = 7  # somebody sought
    assert take_columns(result) == []
    assert not result.has_more()


def test_the_buffer_makes_columns_but_where_aborted_transactions_are_left_out() -> None:
    buffer = ColumnRecords()
    buffer[TP] = fetched(record_batch(0, 3), 0)
    found = buffer[TP].getall()
    assert isinstance(found, FetchedBatch)
    assert found.offsets == [0, 1, 2]
    assert found.values == [b"", b"v1", b"v2"]
    assert found.headers == [(), (("schema", b"1"),), (("schema", b"1"),)]
    buffer[TP] = fetched(record_batch(0, 3), 0, READ_COMMITTED)
    assert isinstance(buffer[TP].getall(), list)
