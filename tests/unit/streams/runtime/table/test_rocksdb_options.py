"""Open files, and the one allowance of memory of all partitions."""

from __future__ import annotations

import os
import resource

import pytest

from streams.runtime.table.rocksdb_options import (
    CACHE_BYTES,
    WRITE_BUFFER_BYTES,
    WRITES_BYTES,
    allow_files,
)
from streams.runtime.table.user_store import open_store
from tests.unit.streams.runtime.table.tables import (
    Make,
    databases,
)
from tests.workers import wait_until


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


def test_all_partitions_share_one_allowance(rocks: Make) -> None:
    table = rocks()
    store, opened = open_store(table), databases(table)
    partitions, pieces, rows = 4, 12, 256
    for piece in range(pieces):  # 12 MiB each: less than one's buffer, more than all may hold
        for partition in range(partitions):
            entries = [(f"u/{piece}-{n}", os.urandom(4096)) for n in range(rows)]
            store.put_many(partition, entries, None)
    assert pieces * rows * 4096 < WRITE_BUFFER_BYTES
    assert partitions * pieces * rows * 4096 > 1.4 * WRITES_BYTES

    def unwritten() -> int:
        name = "rocksdb.cur-size-all-mem-tables"
        return sum(db.property_int_value(name) for db in opened.values())

    wait_until(lambda: unwritten() <= 1.2 * WRITES_BYTES, 60, "RocksDB writes files")
    for partition in range(partitions):
        keys = [f"u/{piece}-{n}" for piece in range(pieces) for n in range(rows)]
        assert None not in store.get_many(partition, keys)
    used = {db.property_int_value("rocksdb.block-cache-usage") for db in opened.values()}
    assert len(used) == 1
    assert max(used) <= CACHE_BYTES
