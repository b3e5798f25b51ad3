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

All partitions' databases share what they take of memory: with an allowance for each, a worker
with many partitions takes many times as much (Faust's defaults are 192 MB for writes and 2 GiB
for reads). What is read often is in the slab anyway.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import rocksdict
from faust.stores.rocksdb import RocksDBOptions
from faust.stores.rocksdb import Store as RocksStore

from streams.errors import StateError
from streams.runtime.transport.transport import SERVICE_LOG, FetchedBatch

log = logging.getLogger(__name__)

DAMAGED: Final = "DAMAGED"
"""File in a database's folder that says: throw it away before the next opening."""

CACHE_BYTES: Final = 8 << 20
"""Blocks that were read, of all partitions; the operating system's file cache is behind it."""
WRITES_BYTES: Final = 32 << 20
"""What was written and isn't in a file yet, of all partitions."""
WRITE_BUFFER_BYTES: Final = 16 << 20
"""The same, of one partition."""
FILES_TO_COMPACT: Final = 8
"""Files that a partition's writes become before they are merged into the others."""
FILES_WHILE_FILLING: Final = 128
"""The same while a partition is read back: merged once and not for each eighth of it."""
FILES_AT_MOST: Final = 3 * FILES_WHILE_FILLING
"""So many hold writes up; RocksDB would with 20, which a filled database may have."""
LOGGED: Final = frozenset({"write", "put", "delete"})
"""Ways to write that go through RocksDB's own log; see :meth:`GuardedDatabase.fill`."""
OPEN_FILES: Final = 65_536
"""Files that may be open where the system has no upper limit."""
BLOOM_BITS: Final = 10
"""Bits per key of the filters that say that a user isn't stored: 1% of the lookups go wrong."""


class SharedMemory(RocksDBOptions):
    """Options of all databases of one store; they take their memory from one allowance."""

    def __init__(self) -> None:
        super().__init__(use_rocksdict=True)
        self._cache = rocksdict.Cache(CACHE_BYTES)
        self._writes = rocksdict.WriteBufferManager(WRITES_BYTES, False)

    def as_options(self) -> rocksdict.Options:
        """Options for one database; its memory is shared with the others'.

        Nothing is compacted until :meth:`LocalStore._open` has looked around.
        """
        tables = rocksdict.BlockBasedOptions()
        tables.set_block_cache(self._cache)
        tables.set_bloom_filter(BLOOM_BITS, block_based=False)
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_disable_auto_compactions(True)
        options.set_max_open_files(self.max_open_files or -1)
        options.set_write_buffer_manager(self._writes)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_level_zero_file_num_compaction_trigger(FILES_TO_COMPACT)
        options.set_level_zero_slowdown_writes_trigger(2 * FILES_WHILE_FILLING)
        options.set_level_zero_stop_writes_trigger(FILES_AT_MOST)
        # States are numbers of which hardly a byte repeats: tried and given up for each block.
        options.set_compression_type(rocksdict.DBCompressionType.none())
        options.set_block_based_table_factory(tables)
        return options


def allow_files() -> None:
    """Let the process open as many files as it may: all files of all databases stay open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or soft < hard):
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


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
