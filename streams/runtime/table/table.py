"""Faust's table and topic, taught about batches, and the store behind them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import rocksdict
from faust.stores.rocksdb import Store as RocksStore
from faust.tables.table import Table
from faust.topics import Topic
from faust.types import TP, EventT, Message

from streams.runtime.table.rocks import LocalStore
from streams.runtime.transport.transport import SERVICE_LOG, FetchedBatch

Entries = Sequence[tuple[str, bytes | None]]


class BatchTopic(Topic):
    """A topic whose messages carry a :class:`FetchedBatch`; nothing is decoded."""

    def _compile_decode(self) -> None:
        """Keep :meth:`decode`; Faust would put a compiled one in its place."""

    async def decode(self, message: Message, *, propagate: bool = False) -> EventT[Any]:
        """The event of a message: value is the batch, there is no key."""
        return self._create_event(None, message.value, headers=None, message=message)


@dataclass(slots=True)
class _Change:
    """One changelog record, in the shape that Faust's stores expect of an event."""

    message: Any
    key: bytes
    value: bytes | None


@dataclass(slots=True)
class _ChangeMessage:
    tp: TP
    partition: int
    offset: int
    key: bytes
    value: bytes | None


class UserTable(Table[Any, Any]):
    """A plain Faust table: user key → stored value (bytes), recovered in batches."""

    logger = SERVICE_LOG

    recovered = 0
    take_over: Callable[[set[int], int], Awaitable[None]] | None = None
    """Called with the partitions that are ours from now on and the group's generation, before
    their changelog is read."""
    cannot_recover: Callable[[Exception], None] | None = None
    """Called when a recovered record can't be stored. Faust logs that, and waits for ever for the
    recovery to end."""

    def _new_store_by_url(self, url: Any) -> Any:
        """Faust's store; of RocksDB the one that gives damaged databases up."""
        if not str(url).startswith("rocksdb:"):
            return super()._new_store_by_url(url)
        return LocalStore(
            url,
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            value_type=self.value_type,
            loop=self.loop,
            options=self.options,
        )

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """New partitions: shut their former owners out, then open the store."""
        # An assignment that a later one has overtaken must not shut out its owners.
        if self.take_over is not None and generation_id == self.app.consumer_generation_id:
            changelog = self.changelog_topic_name
            actives = self.app.assignor.assigned_actives()
            mine = {tp.partition for tp in actives if tp.topic == changelog}
            await self.take_over(mine, generation_id)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Write recovered records into the local store."""
        try:
            for event in batch:
                fetched = event.value
                assert isinstance(fetched, FetchedBatch)
                self.recovered += self._recover(event.message.tp, fetched)
        except Exception as error:
            if self.cannot_recover is not None:
                self.cannot_recover(error)
            raise

    def _recover(self, tp: TP, fetched: FetchedBatch) -> int:
        store: Any = self.data
        if isinstance(store, LocalStore):
            return store.recover(fetched)
        changes: list[Any] = list(_changes(tp, fetched))
        super().apply_changelog_batch(changes)
        return len(changes)


def _changes(tp: TP, fetched: FetchedBatch) -> Iterable[_Change]:
    for offset, key, value in zip(fetched.offsets, fetched.keys, fetched.values, strict=True):
        if key is not None:
            message = _ChangeMessage(tp, tp.partition, offset, key, value or None)
            yield _Change(message, key, value or None)


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

    def __init__(self, table: UserTable) -> None:
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
        data, owner = self._store.data, self._store._key_partition
        for name, value in entries:
            key = name.encode()
            if value is None:
                data.pop(key, None)
                owner.pop(key, None)
            else:
                data[key] = value
                owner[key] = partition

    def size_bytes(self) -> int:
        """Approximate size, from a sample of the values."""
        data = self._store.data
        sample = [len(v) for _, v in zip(range(200), data.values(), strict=False)]
        return len(data) * sum(sample) // len(sample) if sample else 0


class RocksUserStore:
    """Values in Faust's RocksDB store, one database per partition."""

    def __init__(self, table: UserTable) -> None:
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


def open_store(table: UserTable) -> UserStore:
    """The batch-wise view of a table's store."""
    if isinstance(table.data, RocksStore):
        return RocksUserStore(table)
    return MemoryUserStore(table)
