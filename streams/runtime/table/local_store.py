"""Faust's RocksDB store, which gives a damaged database up: the changelog has all that is in it.

RocksDB's checksums find damage (bytes that changed on the disk, a file that was cut). Found when
a database is opened, it is thrown away at once; found later, the database is marked, the worker
ends, and it is thrown away at the next start. Either way recovery reads the partition's changelog
from its beginning. Without this a worker would start, meet the damage and end, again and again.

One damage RocksDB doesn't find: a manifest that lost its end is to it an older, whole one. Tables
that were written since aren't in it, their write-ahead logs are gone, newer logs are there: a hole
under a position that says there is none. Such tables lie in the folder, though, and RocksDB removes
them when it opens the database; so what was there before is compared with what is in use after.
A crash amid a flush or a compaction leaves such tables, too: then a whole database is given up,
which costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import rocksdict
from faust.stores.rocksdb import Store as RocksStore

from streams.errors import StateError
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.table.rocksdb_options import (
    FILES_TO_COMPACT,
    FILES_WHILE_FILLING,
    SharedMemory,
)
from streams.runtime.transport.fetched_batch import FetchedBatch

log = logging.getLogger(__name__)

DAMAGED: Final = "DAMAGED"
"""File in a database's folder that says: throw it away before the next opening."""

LOGGED: Final = frozenset({"write", "put", "delete"})
"""Ways to write that go through RocksDB's own log; see :meth:`GuardedDatabase.fill`."""


def is_damage(error: BaseException) -> bool:
    """Whether RocksDB says that what it read isn't what was written."""
    return str(error).startswith("Corruption")


class LocalStore(RocksStore):
    """RocksDB databases, one per partition, that don't outlive their damage."""

    logger = SERVICE_LOG

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rocksdb_options = SharedMemory()

    def recover(self, fetched: FetchedBatch) -> int:
        """Write what was read of the changelog, and how far that goes, in one step.

        Returns:
            How many records; one without a key isn't the table's.
        """
        writes = rocksdict.WriteBatch(raw_mode=True)
        put, delete = writes.put, writes.delete
        for key, value in zip(fetched.keys, fetched.values, strict=True):
            if key is not None:
                if value:
                    put(key, value)
                else:
                    delete(key)
        put(self.offset_key, str(fetched.offsets[-1]).encode())
        self._db_for_partition(fetched.partition).fill(writes)
        return len(fetched) - fetched.keys.count(None)

    def _open_for_partition(self, partition: int) -> Any:
        path = Path(self.partition_path(partition))
        if (path / DAMAGED).exists():
            _discard(path, "it was found damaged before")
        try:
            return self._open(partition, path)
        except Exception as error:
            if not is_damage(error):
                raise
            _discard(path, str(error))
        return self._open(partition, path)

    def _open(self, partition: int, path: Path) -> GuardedDatabase:
        """Open a database.

        Raises:
            Exception: RocksDB's, or one of the same form where the manifest lacks tables.
        """
        there = {table.name for table in path.glob("*.sst")}
        database = super()._open_for_partition(partition)
        unknown = there - {table["name"].lstrip("/") for table in database.live_files()}
        if unknown:
            database.close()
            raise StateError(f"Corruption: the manifest doesn't have {', '.join(sorted(unknown))}")
        database.set_options({"disable_auto_compactions": "false"})
        return GuardedDatabase(database, path)


def _discard(path: Path, why: str) -> None:
    log.warning(
        "the local store %s is damaged (%s); it is thrown away, and read back from the changelog",
        path,
        why,
    )
    shutil.rmtree(path)


class GuardedDatabase:
    """A database that remembers, on the disk, that it is damaged.

    Args:
        database: rocksdict's.
        path: its folder.
    """

    def __init__(self, database: Any, path: Path) -> None:
        self._database = database
        self._path = path
        self._unlogged = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._database, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self._unlogged and name in LOGGED:
                self._guard(self._database.flush)
                self._merge_from(FILES_TO_COMPACT)
                self._unlogged = False
            return self._guard(call, *args, **kwargs)

        return guarded

    def fill(self, writes: rocksdict.WriteBatch) -> None:
        """Write what the changelog has anyway, past RocksDB's own log, which is faster.

        A crash then leaves what has reached the tables: in the order of the writes, so with the
        position that fits. A logged write behind an unlogged one that was lost would say more than
        there is; so before the next of those all of this goes to the tables.
        """
        options: Any = rocksdict.WriteOptions()
        options.disable_wal = True
        if not self._unlogged:
            self._merge_from(FILES_WHILE_FILLING)
        self._unlogged = True
        self._guard(self._database.write, writes, options)

    def _merge_from(self, files: int) -> None:
        """Merge what was written once it is so many files."""
        change = {"level0_file_num_compaction_trigger": str(files)}
        self._guard(self._database.set_options, change)

    def _guard(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if is_damage(error):
                raise self._damaged(error) from error
            raise

    def _damaged(self, error: Exception) -> StateError:
        with contextlib.suppress(OSError):  # the disk may be what is broken
            (self._path / DAMAGED).touch()
        return StateError(
            f"the local store {self._path} is damaged: {error}; start the worker again: it reads "
            "this partition back from the changelog. If it happens again, look at the disk"
        )
