"""RocksDB's options: one allowance of memory for all partitions.

All partitions' databases share what they take of memory: with an allowance for each, a worker
with many partitions takes many times as much (Faust's defaults are 192 MB for writes and 2 GiB
for reads). What is read often is in the slab anyway.
"""

from __future__ import annotations

import resource
from typing import Final

import rocksdict
from faust.stores.rocksdb import RocksDBOptions

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
