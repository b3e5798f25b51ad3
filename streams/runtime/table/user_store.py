"""The local store as the update sees it: values of a partition's keys, many at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

import rocksdict
from faust.stores.rocksdb import Store as RocksStore
from faust.tables.table import Table

Entries = Sequence[tuple[str, bytes | None]]


class UserStore(Protocol):
    """The local store, by partition; see :class:`streams.update.updater.Reader`."""

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values of keys, None where there is none."""

    def put_many(self, partition: int, entries: Entries, changelog_offset: int | None) -> None:
        """Write entries that the changelog has up to ``changelog_offset`` (None: not known).

        A value of None deletes its key.
        """

    def size_bytes(self) -> int:
        """Approximate size of what is stored."""

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values of a partition behind a key, in order; to be used up at once."""


class MemoryUserStore:
    """Values in Faust's in-memory store; recovered from the changelog at each start."""

    def __init__(self, table: Table[Any, Any]) -> None:
        self._store: Any = table.data
        self._in_order: dict[int, tuple[str, list[bytes]]] = {}

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values of a partition behind a key, in order; to be used up at once.

        The keys are sorted when a scan begins, and kept for as long as it goes forward: what
        comes meanwhile isn't seen.
        """
        data, owner = self._store.data, self._store._key_partition
        before, keys = self._in_order.get(partition, ("", []))
        if not keys or after <= before:
            keys = sorted(k for k in data if owner.get(k) == partition)
        self._in_order[partition] = after, keys
        for key in keys[bisect_right(keys, after.encode()) :]:
            value = data.get(key)
            if value is not None:
                yield key.decode(), value
        del self._in_order[partition]

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values of keys, None where there is none."""
        get = self._store.data.get
        return [get(key.encode()) for key in keys]

    def put_many(self, partition: int, entries: Entries, changelog_offset: int | None) -> None:
        """Write entries; None deletes."""
        put_in_memory(self._store, partition, [(key.encode(), value) for key, value in entries])

    def size_bytes(self) -> int:
        """Approximate size, from a sample of the values."""
        data = self._store.data
        sample = [len(v) for _, v in zip(range(200), data.values(), strict=False)]
        return len(data) * sum(sample) // len(sample) if sample else 0


def put_in_memory(
    store: Any, partition: int, entries: Iterable[tuple[bytes, bytes | None]]
) -> None:
    """Write entries into Faust's in-memory store; None deletes."""
    data, owner = store.data, store._key_partition
    for key, value in entries:
        if value is None:
            data.pop(key, None)
            owner.pop(key, None)
        else:
            data[key] = value
            owner[key] = partition


class RocksUserStore:
    """Values in Faust's RocksDB store, one database per partition."""

    def __init__(self, table: Table[Any, Any]) -> None:
        self._store = cast(RocksStore, table.data)

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values of keys, None where there is none."""
        if not keys:
            return []
        found: list[bytes | None] = self._store._db_for_partition(partition).get(
            [key.encode() for key in keys]
        )
        return found

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values of a partition behind a key, in order; to be used up at once."""
        entries = self._store._db_for_partition(partition).items(from_key=after.encode())
        for key, value in entries:
            if key > after.encode():
                yield key.decode(), value

    def put_many(self, partition: int, entries: Entries, changelog_offset: int | None) -> None:
        """Write entries and the changelog position in one step; None deletes.

        In one step, so that a crash leaves either both or neither: recovery then reads the
        changelog from a position that fits what is stored.
        """
        writes = rocksdict.WriteBatch(raw_mode=True)
        for key, value in entries:
            if value is None:
                writes.delete(key.encode())
            else:
                writes.put(key.encode(), value)
        if changelog_offset is not None:
            writes.put(self._store.offset_key, str(changelog_offset).encode())
        self._store._db_for_partition(partition).write(writes)

    def size_bytes(self) -> int:
        """Tables on disk and in RocksDB's memory, of all partitions."""
        return sum(
            db.property_int_value(name) or 0
            for db in self._store._dbs.values()
            for name in ("rocksdb.total-sst-files-size", "rocksdb.cur-size-all-mem-tables")
        )


def open_store(table: Table[Any, Any]) -> UserStore:
    """The batch-wise view of a table's store."""
    if isinstance(table.data, RocksStore):
        return RocksUserStore(table)
    return MemoryUserStore(table)
