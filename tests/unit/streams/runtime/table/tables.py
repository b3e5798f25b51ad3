"""Faust's tables on both stores, opened and let go of as a worker does."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import faust
from faust.types import TP

from streams.runtime.table.user_table import UserTable
from tests.unit.streams.runtime.fakes import KeyValue, batch

Make = Callable[[], UserTable]


def make_table(app: faust.App) -> UserTable:
    table: Any = app.Table("users", key_type=bytes, value_type=bytes, partitions=4)
    assert isinstance(table, UserTable)
    return table


def close(table: UserTable) -> None:
    """Let go of the databases, as a process does that ends."""
    databases(table).clear()
    gc.collect()


def databases(table: UserTable) -> dict[int, Any]:
    """RocksDB's databases that are open, by partition; none of a store in memory."""
    found: dict[int, Any] = getattr(table.data, "_dbs", {})
    return found


def changelog(table: UserTable, partition: int, rows: list[KeyValue], first: int = 0) -> Any:
    """A changelog message as recovery hands it over: all records of one fetch."""
    tp = TP(table.changelog_topic_name, partition)
    offsets = range(first, first + len(rows))
    value = batch(offsets, rows, tp.topic, partition)
    return SimpleNamespace(message=SimpleNamespace(tp=tp), value=value)


def position(table: UserTable, partition: int = 0) -> int | None:
    offset: int | None = table.data.persisted_offset(TP(table.changelog_topic_name, partition))
    return offset


class OneWrite:
    """A database that counts its writes, and may fail them; there is no other way to write."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.writes = 0
        self.broken = False
        self.get = database.get

    def write(self, entries: Any) -> None:
        if self.broken:
            raise OSError("disk full")
        self.writes += 1
        self._database.write(entries)

    fill = write
