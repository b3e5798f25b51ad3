"""murmur2 against Java's own vectors and a kept library's plain-Python version."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as plain_murmur2

from streams.log.partition import murmur2, partition_of, partitions_of

# From Apache Kafka's UtilsTest.testMurmur2.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def test_hashes_are_javas() -> None:
    hashes = murmur2(list(JAVA))
    assert hashes.dtype == np.uint32
    assert hashes.view(np.int32).tolist() == list(JAVA.values())


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_whole_batches_hash_as_single_keys_do(keys: list[bytes]) -> None:
    assert murmur2(keys).tolist() == [plain_murmur2(key) for key in keys]


@pytest.mark.parametrize("key", [b"", b"\0", b"\0\0\0\0", b"ab\0", b"\xff" * 300])
def test_zero_bytes_count(key: bytes) -> None:
    assert murmur2([key, b"x"]).tolist()[0] == plain_murmur2(key)


def test_partitions_are_javas() -> None:
    expected = [(value & 0x7FFFFFFF) % 8 for value in JAVA.values()]
    assert partitions_of(list(JAVA), 8) == expected
    assert partition_of(b"foobar", 8) == expected[1]
    assert partitions_of([], 8) == []


def test_librdkafka_puts_keys_elsewhere() -> None:
    """Its default is CRC32, so a user's events arrive from several partitions."""
    keys = [f"user-{n}".encode() for n in range(100)]
    assert partitions_of(keys, 8) != [zlib.crc32(key) % 8 for key in keys]
