"""The two local stores, on Faust's own tables: what they give back, and what survives."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.types import TP

from streams.runtime.table.table import (
    Entries,
    MemoryUserStore,
    RocksUserStore,
    UserStore,
    UserTable,
    open_store,
)
from tests.unit.streams.runtime.fakes import KeyValue, batch, make_app

Make = Callable[[], UserTable]


def make_table(app: faust.App) -> UserTable:
    table: Any = app.Table("users", key_type=bytes, value_type=bytes, partitions=4)
    assert isinstance(table, UserTable)
    return table


def close(table: UserTable) -> None:
    """Let go of the databases, as a process does that ends."""
    databases: Any = getattr(table.data, "_dbs", {})
    databases.clear()
    gc.collect()


@pytest.fixture(params=["memory://", "rocksdb://"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UserTable]:
    made = make_table(make_app(request.param, tmp_path))
    yield made
    close(made)


@pytest.fixture
def rocks(tmp_path: Path) -> Iterator[Make]:
    """Opens the same folder again and again, as a worker does that is started again."""
    made: list[UserTable] = []

    def again() -> UserTable:
        for before in made:
            close(before)
        made.append(make_table(make_app("rocksdb://", tmp_path)))
        return made[-1]

    yield again
    close(made[-1])


def changelog(table: UserTable, partition: int, rows: list[KeyValue], first: int = 0) -> Any:
    """A changelog message as recovery hands it over: all records of one fetch."""
    tp = TP(table.changelog_topic_name, partition)
    offsets = range(first, first + len(rows))
    value = batch(offsets, rows, tp.topic, partition)
    return SimpleNamespace(message=SimpleNamespace(tp=tp), value=value)


def test_the_store_fits_the_table(tmp_path: Path) -> None:
    assert isinstance(open_store(make_table(make_app("memory://"))), MemoryUserStore)
    on_disk = make_table(make_app("rocksdb://", tmp_path))
    assert isinstance(open_store(on_disk), RocksUserStore)


def test_what_is_put_is_found_in_the_order_that_is_asked_for(table: UserTable) -> None:
    store = open_store(table)
    store.put_many(1, [("u/ann", b"A"), ("u/bob", b"\0\xff"), ("l/shop/ö", b"C")], 7)
    assert store.get_many(1, ["l/shop/ö", "u/eve", "u/ann", "u/bob"]) == [
        b"C",
        None,
        b"A",
        b"\0\xff",
    ]
    assert store.get_many(1, []) == []


def test_the_last_value_wins_and_none_deletes(table: UserTable) -> None:
    store = open_store(table)
    entries: Entries = [("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", None), ("never", None)]
    store.put_many(0, entries, 4)
    assert store.get_many(0, ["a", "b", "never"]) == [b"2", None, None]


def test_size_grows_with_what_is_stored(table: UserTable) -> None:
    store = open_store(table)
    store.get_many(0, ["a"])
    before = store.size_bytes()
    store.put_many(0, [(f"u/{n}", b"x" * 2_000) for n in range(500)], None)
    assert store.size_bytes() - before >= 500 * 2_000


def test_recovery_reads_batches_with_tombstones_and_skips_records_without_key(
    table: UserTable,
) -> None:
    rows: list[KeyValue] = [
        (b"u/ann", b"1"),
        (b"u/bob", b"1"),
        (None, b"not of a table"),
        (b"u/ann", b"2"),
        (b"u/bob", None),
        (b"u/eve", b""),  # an empty value is a tombstone, too
    ]
    table.apply_changelog_batch([changelog(table, 2, rows), changelog(table, 2, [(b"c", b"9")], 6)])
    found = open_store(table).get_many(2, ["u/ann", "u/bob", "u/eve", "c"])
    assert found == [b"2", None, None, b"9"]
    assert table.recovered == 6


def test_a_key_deleted_and_written_again_in_one_batch_stays(table: UserTable) -> None:
    rows: list[KeyValue] = [(b"k", b"1"), (b"k", None), (b"k", b"2")]
    table.apply_changelog_batch([changelog(table, 0, rows)])
    assert open_store(table).get_many(0, ["k"]) == [b"2"]


def test_recovered_and_written_values_are_one_store(table: UserTable) -> None:
    store: UserStore = open_store(table)
    table.apply_changelog_batch([changelog(table, 0, [(b"a", b"1"), (b"b", b"1")])])
    store.put_many(0, [("a", b"2")], 2)
    assert store.get_many(0, ["a", "b"]) == [b"2", b"1"]


async def test_memory_drops_users_of_partitions_that_went(tmp_path: Path) -> None:
    table = make_table(make_app("memory://"))
    store = open_store(table)
    store.put_many(0, [("zero", b"0")], 0)
    table.apply_changelog_batch([changelog(table, 1, [(b"one", b"1")])])
    await table.on_recovery_completed({TP(table.changelog_topic_name, 1)}, set())
    assert store.get_many(0, ["zero", "one"]) == [None, b"1"]


# -- RocksDB alone: partitions, positions, restarts


def position(table: UserTable, partition: int) -> int | None:
    offset: int | None = table.data.persisted_offset(TP(table.changelog_topic_name, partition))
    return offset


def test_partitions_are_apart(rocks: Make) -> None:
    table = rocks()
    store = open_store(table)
    store.put_many(0, [("k", b"zero")], 10)
    store.put_many(1, [("k", b"one")], 20)
    assert (store.get_many(0, ["k"]), store.get_many(1, ["k"])) == ([b"zero"], [b"one"])
    assert (position(table, 0), position(table, 1), position(table, 2)) == (10, 20, None)


def test_a_restart_finds_values_and_the_changelog_position(rocks: Make) -> None:
    open_store(rocks()).put_many(3, [("u/ann", b"A"), ("u/bob", b"B")], 41)
    table = rocks()
    assert open_store(table).get_many(3, ["u/ann", "u/bob"]) == [b"A", b"B"]
    assert position(table, 3) == 41


def test_an_unknown_position_leaves_the_old_one(rocks: Make) -> None:
    """The broker acknowledged a repeat without its offset: recovery reads a little twice."""
    table = rocks()
    store = open_store(table)
    store.put_many(0, [("k", b"1")], 5)
    store.put_many(0, [("k", b"2")], None)
    assert (store.get_many(0, ["k"]), position(table, 0)) == ([b"2"], 5)


def test_entries_and_position_are_one_write(rocks: Make) -> None:
    """A crash leaves both or neither: one write batch, so one record of RocksDB's own log."""
    table = rocks()
    store = open_store(table)
    faust_store: Any = table.data
    database = _OneWrite(faust_store._db_for_partition(0))
    faust_store._dbs[0] = database
    store.put_many(0, [("a", b"1"), ("b", None), ("c", b"3")], 12)
    assert database.writes == 1
    assert position(table, 0) == 12
    database.broken = True
    with pytest.raises(OSError, match="disk full"):
        store.put_many(0, [("a", b"2")], 13)
    assert (store.get_many(0, ["a"]), position(table, 0)) == ([b"1"], 12)


class _OneWrite:
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


def test_recovery_keeps_the_position_of_the_last_record(rocks: Make) -> None:
    table = rocks()
    table.apply_changelog_batch([changelog(table, 1, [(b"a", b"1"), (b"b", b"2")], first=7)])
    assert position(table, 1) == 8
    again = rocks()
    assert (position(again, 1), open_store(again).get_many(1, ["a"])) == (8, [b"1"])


@pytest.fixture
def crashed(tmp_path: Path) -> Iterator[Callable[[], UserTable]]:
    """What a crash of the process that has ``tmp_path`` open would leave, opened elsewhere."""
    made: list[UserTable] = []

    def found() -> UserTable:
        copy = tmp_path.parent / f"{tmp_path.name}-crash-{len(made)}"
        shutil.copytree(tmp_path, copy)
        made.append(make_table(make_app("rocksdb://", copy)))
        return made[-1]

    yield found
    for table in made:
        close(table)


def test_a_crash_amid_a_recovery_leaves_values_and_their_position_or_neither(
    rocks: Make, crashed: Callable[[], UserTable]
) -> None:
    table = rocks()
    table.apply_changelog_batch([changelog(table, 1, [(b"a", b"1"), (b"b", b"2")])])
    after = crashed()
    assert (position(after, 1), open_store(after).get_many(1, ["a", "b"])) == (None, [None, None])


def test_what_is_written_after_a_recovery_never_outlives_it(
    rocks: Make, crashed: Callable[[], UserTable]
) -> None:
    """The recovered values aren't in RocksDB's own log; those written since are."""
    table = rocks()
    for first, key in enumerate([b"a", b"b"]):
        table.apply_changelog_batch([changelog(table, 1, [(key, b"1")], first)])
    open_store(table).put_many(1, [("c", b"2")], 2)
    after = crashed()
    found = open_store(after).get_many(1, ["a", "b", "c"])
    assert (position(after, 1), found) == (2, [b"1", b"1", b"2"])


def test_a_recovery_that_cannot_store_says_so_and_counts_nothing(rocks: Make) -> None:
    """Faust only logs it, and would wait for ever for the recovery's end."""
    table, told = rocks(), list[Exception]()
    table.cannot_recover = told.append
    data = cast(Any, table.data)
    data._dbs[1] = broken = _OneWrite(data._db_for_partition(1))
    broken.broken = True
    for _ in range(2):  # it comes again with the next records
        with pytest.raises(OSError, match="disk full"):
            table.apply_changelog_batch([changelog(table, 1, [(b"a", b"1")])])
    assert [str(error) for error in told] == ["disk full", "disk full"]
    assert table.recovered == 0


def test_a_scan_gives_users_in_order_behind_a_key(table: UserTable) -> None:
    store = open_store(table)
    entries: Entries = [("u/cid", b"3"), ("\0mark", b"0"), ("l/shop/x", b"1"), ("u/ann", b"2")]
    store.put_many(1, entries, 7)
    store.put_many(2, [("u/dan", b"4")], 7)
    assert list(store.scan(1, "l")) == [("l/shop/x", b"1"), ("u/ann", b"2"), ("u/cid", b"3")]
    assert next(store.scan(1, "l")) == ("l/shop/x", b"1")
    assert list(store.scan(1, "l/shop/x")) == [("u/ann", b"2"), ("u/cid", b"3")]
    store.put_many(1, [("u/ann", None), ("u/bob", b"5")], 9)
    assert list(store.scan(1, "l")) == [("l/shop/x", b"1"), ("u/bob", b"5"), ("u/cid", b"3")]
    assert list(store.scan(1, "u/cid")) == []
    assert list(store.scan(2, "l")) == [("u/dan", b"4")]
