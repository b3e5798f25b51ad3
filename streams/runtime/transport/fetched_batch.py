"""Fetched record batches as columns, without an object of aiokafka's for each record.

aiokafka makes a ``ConsumerRecord`` of each record when it is taken: more than half of what
reading costs. Here whatever is taken of a partition comes as one :class:`FetchedBatch`, read
from the compiled iterator over the record batch, and the checksum is made by the processor's own
instruction: aiokafka's takes ten times as long. All else stays aiokafka's: fetching, buffers,
positions, and what may be taken when.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from crc32c import crc32c

from streams.intake.dead_letters.repeats import UNKNOWN, Repeats

LEFT: Final = "interest_stream_left"
"""Attribute of aiokafka's object that holds what was unpacked and not taken."""

LENGTH: Final = slice(8, 12)
"""Bytes of a record batch that say how many there are behind them."""
MAGIC: Final = 16
"""Byte of the format's version; see Kafka's protocol guide, "Record Batch"."""
CHECKSUM: Final = slice(17, 21)
"""Bytes of the CRC-32C of all that follows, from version 2 on."""


@dataclass(slots=True)
class FetchedBatch:
    """Records of one partition in offset order, as columns of equal length.

    Attributes:
        topic: topic name.
        partition: partition number.
        offsets: offset of each record.
        timestamps_ms: Kafka timestamp of each record; -1 where it has none.
        keys: key bytes, or None.
        values: value bytes, or None.
        headers: headers of each record.
        repeats: which records of its assignment may have been read before.
    """

    topic: str
    partition: int
    offsets: list[int]
    timestamps_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[tuple[tuple[str, bytes], ...]]
    repeats: Repeats = UNKNOWN

    def __len__(self) -> int:
        return len(self.offsets)

    @classmethod
    def of(cls, tp: TopicPartition, records: list[Any]) -> FetchedBatch:
        """Columns of aiokafka's records."""
        return cls(
            topic=tp.topic,
            partition=tp.partition,
            offsets=[r.offset for r in records],
            timestamps_ms=[r.timestamp for r in records],
            keys=[r.key for r in records],
            values=[r.value for r in records],
            headers=[tuple(h) if (h := r.headers) else () for r in records],
        )


class RawRecords(MemoryRecords):  # type: ignore[misc]  # a variable to mypy
    """The record batches that a fetch brought, with the bytes that they came in.

    Args:
        data: record batches, one behind the other; the last may be cut.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._raw = memoryview(data)
        self._at = 0

    def next_intact(self) -> Any:
        """The next record batch; None where it has another checksum than it says."""
        batch, raw = self.next_batch(), self._raw[self._at :]
        end = LENGTH.stop + int.from_bytes(raw[LENGTH], "big")
        self._at += end
        if raw[MAGIC] < 2:
            return batch if batch.validate_crc() else None
        said = int.from_bytes(raw[CHECKSUM], "big")
        return batch if crc32c(raw[CHECKSUM.stop : end]) == said else None


# What the fetcher makes of each partition's part of an answer.
aiokafka_fetcher.MemoryRecords = RawRecords


class ColumnRecords(OrderedDict[TopicPartition, Any]):
    """aiokafka's buffer of fetched partitions; what is taken from it is columns."""

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        # One that must leave out aborted transactions stays as it is.
        if type(fetched) is FetchResult and _isolation(fetched) != READ_COMMITTED:
            fetched.getall = partial(take_columns, fetched)
        super().__setitem__(tp, fetched)


def _isolation(fetched: FetchResult) -> object:
    return fetched._partition_records._isolation_level


def take_columns(fetched: FetchResult, max_records: int | None = None) -> FetchedBatch | list[Any]:
    """Take the next records of a partition: ``FetchResult.getall`` as columns.

    Raises:
        CorruptRecordException: a record batch has another checksum than it says.
    """
    tp = fetched._topic_partition
    if not fetched.check_assignment(tp) or not fetched.has_more():
        return []
    source = fetched._partition_records
    limit = max_records if max_records is not None else 1 << 62
    records = _unpack(source, tp, limit)
    if len(records) > limit:
        setattr(source, LEFT, records[limit:])
        del records[limit:]
        source.next_fetch_offset = records[-1].offset + 1
        fetched._update_position()
    else:
        fetched._update_position()
        if not source._records.has_next():
            fetched._partition_records = None
    return FetchedBatch.of(tp, records) if records else []


def _unpack(source: Any, tp: TopicPartition, limit: int) -> list[Any]:
    """Records up to the end of the record batch that reaches ``limit``."""
    records: list[Any] = source.__dict__.pop(LEFT, [])
    while len(records) < limit and source._records.has_next():
        batch = source._records.next_intact()
        if batch is None:
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        start = source.next_fetch_offset
        source.next_fetch_offset = batch.next_offset
        if not batch.is_control_batch:
            found = list(batch)
            # A fetch begins with the record batch that holds the offset that was asked for.
            if found and found[0].offset < start:
                found = [record for record in found if record.offset >= start]
            records += found
    if records and not len(records) > limit:
        source.next_fetch_offset = max(source.next_fetch_offset, records[-1].offset + 1)
    return records


def take_in_columns(fetcher: Any) -> None:
    """Make a started fetcher of aiokafka hand out columns; once."""
    if not isinstance(fetcher._records, ColumnRecords):
        found, fetcher._records = fetcher._records, ColumnRecords()
        for tp, fetched in found.items():
            fetcher._records[tp] = fetched
