"""Users are read back from the changelog, in batches, and a crash leaves what fits its position."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

from streams.runtime.table.user_store import (
    UserStore,
    open_store,
)
from streams.runtime.table.user_table import UserTable
from tests.unit.streams.runtime.fakes import KeyValue, make_app
from tests.unit.streams.runtime.table.tables import (
    Make,
    OneWrite,
    changelog,
    close,
    make_table,
    position,
)


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
    data._dbs[1] = broken = OneWrite(data._db_for_partition(1))
    broken.broken = True
    for _ in range(2):  # it comes again with the next records
        with pytest.raises(OSError, match="disk full"):
            table.apply_changelog_batch([changelog(table, 1, [(b"a", b"1")])])
    assert [str(error) for error in told] == ["disk full", "disk full"]
    assert table.recovered == 0
