"""A damaged local store is noticed, never read as if it were whole, and given up."""

from __future__ import annotations

import gc
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

from streams.errors import StateError
from streams.runtime.table.rocks import (
    CACHE_BYTES,
    DAMAGED,
    FILES_TO_COMPACT,
    WRITE_BUFFER_BYTES,
    WRITES_BYTES,
    GuardedDatabase,
    LocalStore,
    allow_files,
)
from streams.runtime.table.table import UserTable, open_store
from streams.runtime.transport.transport import FetchedBatch
from tests.unit.streams.runtime.fakes import make_app
from tests.workers import wait_until

CHANGELOG = TP("runtime-test-users-changelog", 0)
Make = Callable[[], UserTable]
CUTS = 12


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Make]:
    """A worker's table on the same folder, as after another start of the process."""
    made: list[UserTable] = []

    def start() -> UserTable:
        for before in made:
            _databases(before).clear()
        gc.collect()
        app = make_app("rocksdb://", tmp_path)
        table: Any = app.Table("users", key_type=bytes, value_type=bytes, partitions=4)
        made.append(table)
        return made[-1]

    yield start
    _databases(made[-1]).clear()
    gc.collect()


def _databases(table: UserTable) -> dict[int, Any]:
    databases: dict[int, Any] = table.data._dbs  # type: ignore[attr-defined]
    return databases


def fill(table: UserTable) -> Path:
    """Store some users, on the disk; the folder of their database."""
    entries = [(f"u/{n}", os.urandom(900)) for n in range(300)]
    open_store(table).put_many(0, entries, 299)
    _databases(table)[0].flush()
    return Path(table.data.partition_path(0))  # type: ignore[attr-defined]


def read(table: UserTable) -> list[bytes | None]:
    return open_store(table).get_many(0, [f"u/{n}" for n in range(300)])


def position(table: UserTable) -> int | None:
    found: int | None = table.data.persisted_offset(CHANGELOG)
    return found


def one(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_size)


def test_an_undamaged_store_stays(worker: Make) -> None:
    fill(worker())
    table = worker()
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
    worker: Make,
    pattern: str,
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = one(fill(worker()), pattern)
    worker()  # nobody has it open any more
    damage(file)
    table = worker()
    assert read(table) == [None] * 300
    assert position(table) is None  # recovery begins at the changelog's beginning
    assert "is thrown away, and read back from the changelog" in caplog.text
    open_store(table).put_many(0, [("u/1", b"again")], 7)
    assert position(worker()) == 7


def test_damage_found_while_reading_ends_the_worker_and_is_gone_after(worker: Make) -> None:
    folder = fill(worker())
    worker()
    file = one(folder, "*.sst")
    with file.open("r+b") as raw:  # the first block of data; indexes come last
        raw.seek(100)
        raw.write(bytes(64))
    table = worker()
    with pytest.raises(StateError, match=r"is damaged: Corruption.*start the worker again"):
        read(table)
    assert (folder / DAMAGED).exists()
    table = worker()
    assert read(table) == [None] * 300
    assert position(table) is None
    assert not (folder / DAMAGED).exists()


def test_a_manifest_that_lost_its_end_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    table = _started(tmp_path)
    written = _write_flushed_batches(table, batches=4)
    _databases(table)[0].flush_wal()  # as it lies there when the worker is killed
    folder = Path(table.data.partition_path(0))  # type: ignore[attr-defined]
    as_killed = tmp_path / "as-killed"
    shutil.copytree(folder, as_killed)
    _databases(table).clear()
    gc.collect()
    given_up = 0
    manifest = one(as_killed, "MANIFEST-*")
    length = manifest.stat().st_size
    for size in range(length, -1, -length // CUTS):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(as_killed, folder)
        os.truncate(folder / manifest.name, size)
        table = _started(tmp_path)
        at = position(table)
        given_up += at is None
        # Whatever is there is all that the changelog has up to the position that it says.
        expected = [value for offset, value in written if at is not None and offset <= at]
        keys = [f"u/{n}" for n in range(len(expected))]
        assert open_store(table).get_many(0, keys) == expected, f"cut to {size} bytes"
        _databases(table).clear()
        gc.collect()
    assert 0 < given_up < CUTS


def _started(folder: Path) -> UserTable:
    app = make_app("rocksdb://", folder)
    table: UserTable = cast(Any, app).Table("users", key_type=bytes, value_type=bytes, partitions=4)
    return table


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
            _databases(table)[0].flush()
    return written


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (4096, 4096)),
        ((4096, 4096), None),
        ((256, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ((100_000, resource.RLIM_INFINITY), (100_000, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_as_many_files_may_be_open_as_the_system_allows(
    before: tuple[int, int], after: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: before)
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: found.append(limits))
    allow_files()
    assert found == ([] if after is None else [after])


def test_what_a_recovery_writes_is_merged_at_its_end_and_not_meanwhile(worker: Make) -> None:
    table = worker()
    store: Any = table.data
    pieces = FILES_TO_COMPACT + 4

    def files() -> int:
        found: int = _databases(table)[0].property_int_value("rocksdb.num-files-at-level0")
        return found

    for piece in range(pieces):
        keys: list[bytes | None] = [f"u/{n}".encode() for n in range(20)]
        offsets = list(range(piece * 20, piece * 20 + 20))
        values: list[bytes | None] = [os.urandom(100) for _ in keys]
        store.recover(FetchedBatch("changelog", 0, offsets, [0] * 20, keys, values, [()] * 20))
        _databases(table)[0].flush()
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


def test_all_partitions_share_one_allowance(worker: Make) -> None:
    table = worker()
    store, databases = open_store(table), _databases(table)
    partitions, pieces, rows = 4, 12, 256
    for piece in range(pieces):  # 12 MiB each: less than one's buffer, more than all may hold
        for partition in range(partitions):
            entries = [(f"u/{piece}-{n}", os.urandom(4096)) for n in range(rows)]
            store.put_many(partition, entries, None)
    assert pieces * rows * 4096 < WRITE_BUFFER_BYTES
    assert partitions * pieces * rows * 4096 > 1.4 * WRITES_BYTES

    def unwritten() -> int:
        name = "rocksdb.cur-size-all-mem-tables"
        return sum(db.property_int_value(name) for db in databases.values())

    wait_until(lambda: unwritten() <= 1.2 * WRITES_BYTES, 60, "RocksDB writes files")
    for partition in range(partitions):
        keys = [f"u/{piece}-{n}" for piece in range(pieces) for n in range(rows)]
        assert None not in store.get_many(partition, keys)
    used = {db.property_int_value("rocksdb.block-cache-usage") for db in databases.values()}
    assert len(used) == 1
    assert max(used) <= CACHE_BYTES


def test_the_tables_store_is_the_guarded_one(worker: Make) -> None:
    assert isinstance(worker().data, LocalStore)
