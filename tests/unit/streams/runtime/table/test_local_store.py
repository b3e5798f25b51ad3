"""A damaged local store is noticed, never read as if it were whole, and given up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.errors import StateError
from streams.runtime.table.local_store import DAMAGED, GuardedDatabase, LocalStore
from streams.runtime.table.rocksdb_options import (
    FILES_TO_COMPACT,
)
from streams.runtime.table.user_store import open_store
from streams.runtime.table.user_table import UserTable
from streams.runtime.transport.fetched_batch import FetchedBatch
from tests.unit.streams.runtime.fakes import make_app
from tests.unit.streams.runtime.table.tables import (
    Make,
    close,
    databases,
    make_table,
    position,
)
from tests.workers import wait_until

CUTS = 12


def fill(table: UserTable) -> Path:
    """Store some users, on the disk; the folder of their database."""
    entries = [(f"u/{n}", os.urandom(900)) for n in range(300)]
    open_store(table).put_many(0, entries, 299)
    databases(table)[0].flush()
    return Path(table.data.partition_path(0))  # type: ignore[attr-defined]


def read(table: UserTable) -> list[bytes | None]:
    return open_store(table).get_many(0, [f"u/{n}" for n in range(300)])


def one(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_size)


def test_an_undamaged_store_stays(rocks: Make) -> None:
    fill(rocks())
    table = rocks()
    assert None not in read(table)
    assert position(table) == 299


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwrite(file: Path) -> None:
    with file.open("r+b") as raw:
        raw.seek(20)
        raw.write(bytes(16))


@pytest.mark.parametrize(
    ("pattern", "damage"), [("CURRENT", cut), ("MANIFEST-*", overwrite), ("*.sst", cut)]
)
def test_damage_found_when_it_is_opened_empties_it(
    rocks: Make,
    pattern: str,
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = one(fill(rocks()), pattern)
    rocks()  # nobody has it open any more
    damage(file)
    table = rocks()
    assert read(table) == [None] * 300
    assert position(table) is None  # recovery begins at the changelog's beginning
    assert "is thrown away, and read back from the changelog" in caplog.text
    open_store(table).put_many(0, [("u/1", b"again")], 7)
    assert position(rocks()) == 7


def test_damage_found_while_reading_ends_the_worker_and_is_gone_after(rocks: Make) -> None:
    folder = fill(rocks())
    rocks()
    file = one(folder, "*.sst")
    with file.open("r+b") as raw:  # the first block of data; indexes come last
        raw.seek(100)
        raw.write(bytes(64))
    table = rocks()
    with pytest.raises(StateError, match=r"is damaged: Corruption.*start the worker again"):
        read(table)
    assert (folder / DAMAGED).exists()
    table = rocks()
    assert read(table) == [None] * 300
    assert position(table) is None
    assert not (folder / DAMAGED).exists()


def test_a_manifest_that_lost_its_end_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    table = make_table(make_app("rocksdb://", tmp_path))
    written = _write_flushed_batches(table, batches=4)
    databases(table)[0].flush_wal()  # as it lies there when the worker is killed
    folder = Path(table.data.partition_path(0))  # type: ignore[attr-defined]
    as_killed = tmp_path / "as-killed"
    shutil.copytree(folder, as_killed)
    close(table)
    given_up = 0
    manifest = one(as_killed, "MANIFEST-*")
    length = manifest.stat().st_size
    for size in range(length, -1, -length // CUTS):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(as_killed, folder)
        os.truncate(folder / manifest.name, size)
        table = make_table(make_app("rocksdb://", tmp_path))
        at = position(table)
        given_up += at is None
        # Whatever is there is all that the changelog has up to the position that it says.
        expected = [value for offset, value in written if at is not None and offset <= at]
        keys = [f"u/{n}" for n in range(len(expected))]
        assert open_store(table).get_many(0, keys) == expected, f"cut to {size} bytes"
        close(table)
    assert 0 < given_up < CUTS


def _write_flushed_batches(table: UserTable, batches: int) -> list[tuple[int, bytes]]:
    """Write users batch by batch, flush all batches but the last; (offset, value) of each user."""
    written: list[tuple[int, bytes]] = []
    for number in range(batches):
        values = [os.urandom(100) for _ in range(20)]
        first = len(written)
        entries = [(f"u/{first + n}", value) for n, value in enumerate(values)]
        written += [(first + n, value) for n, value in enumerate(values)]
        open_store(table).put_many(0, entries, len(written) - 1)
        if number < batches - 1:
            databases(table)[0].flush()
    return written


def test_what_a_recovery_writes_is_merged_at_its_end_and_not_meanwhile(rocks: Make) -> None:
    table = rocks()
    store: Any = table.data
    pieces = FILES_TO_COMPACT + 4

    def files() -> int:
        found: int = databases(table)[0].property_int_value("rocksdb.num-files-at-level0")
        return found

    for piece in range(pieces):
        keys: list[bytes | None] = [f"u/{n}".encode() for n in range(20)]
        offsets = list(range(piece * 20, piece * 20 + 20))
        values: list[bytes | None] = [os.urandom(100) for _ in keys]
        store.recover(FetchedBatch("changelog", 0, offsets, [0] * 20, keys, values, [()] * 20))
        databases(table)[0].flush()
    assert files() == pieces
    open_store(table).put_many(0, [("u/0", b"after")], pieces * 20)
    wait_until(lambda: files() < FILES_TO_COMPACT, 30, "the files are merged")
    assert open_store(table).get_many(0, ["u/0", "u/1"]) == [b"after", values[1]]


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    class Full:
        def write(self, batch: object) -> None:
            raise OSError("IO error: No space left on device")

    with pytest.raises(OSError, match="No space"):
        GuardedDatabase(Full(), tmp_path).write(None)
    assert not (tmp_path / DAMAGED).exists()


def test_the_tables_store_is_the_guarded_one(rocks: Make) -> None:
    assert isinstance(rocks().data, LocalStore)
