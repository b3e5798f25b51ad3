"""The two local stores, on Faust's own tables: what they give back, and what survives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.runtime.table.user_store import (
    Entries,
    MemoryUserStore,
    RocksUserStore,
    open_store,
)
from streams.runtime.table.user_table import UserTable
from tests.unit.streams.runtime.fakes import make_app
from tests.unit.streams.runtime.table.tables import (
    Make,
    OneWrite,
    make_table,
    position,
)


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


# -- RocksDB alone: partitions, positions, restarts


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
    database = OneWrite(faust_store._db_for_partition(0))
    faust_store._dbs[0] = database
    store.put_many(0, [("a", b"1"), ("b", None), ("c", b"3")], 12)
    assert database.writes == 1
    assert position(table, 0) == 12
    database.broken = True
    with pytest.raises(OSError, match="disk full"):
        store.put_many(0, [("a", b"2")], 13)
    assert (store.get_many(0, ["a"]), position(table, 0)) == ([b"1"], 12)


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
