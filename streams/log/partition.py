"""The partition of a key as Java's default partitioner has it: murmur2, for whole batches.

Kafka's ``Utils.murmur2`` (Apache Kafka, clients/src/main/java/org/apache/kafka/common/utils),
written over numpy columns: no kept library has a compiled one, and in plain Python a key
costs as much as decoding its event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = np.uint32(0x5BD1E995)
_POSITIVE: Final = np.uint32(0x7FFFFFFF)


def murmur2(keys: Sequence[bytes]) -> NDArray[np.uint32]:
    """The murmur2 hash of each key, uint32 [n]; Java shows the same bits as a signed int."""
    sizes = np.fromiter(map(len, keys), dtype=np.uint32, count=len(keys))  # [n]
    words = _words(keys, int(sizes.max(initial=0)))  # [words, n]
    hashes = np.uint32(_SEED) ^ sizes
    whole = sizes >> np.uint32(2)  # 4-byte words of each key
    for index in range(int(whole.max(initial=0))):
        mixed = words[index] * _MULTIPLIER
        mixed ^= mixed >> np.uint32(24)
        mixed *= _MULTIPLIER
        hashes = np.where(index < whole, hashes * _MULTIPLIER ^ mixed, hashes)
    # The last 0 to 3 bytes: their word is filled up with zeros, which change nothing.
    rest = words[whole, np.arange(len(keys))]
    hashes = np.where(sizes & np.uint32(3), (hashes ^ rest) * _MULTIPLIER, hashes)
    hashes ^= hashes >> np.uint32(13)
    hashes *= _MULTIPLIER
    hashes ^= hashes >> np.uint32(15)
    return hashes


def _words(keys: Sequence[bytes], longest: int) -> NDArray[np.uint32]:
    """Little-endian words of the keys, filled up with zeros: uint32 [words, n]."""
    width = longest // 4 + 1
    padded = np.array(keys, dtype=f"S{width * 4}")
    words: NDArray[np.uint32] = padded.view("<u4").reshape(len(keys), width)
    return np.ascontiguousarray(words.T)


def partitions_of(keys: Sequence[bytes], partitions: int) -> list[int]:
    """Partition of each key in a topic with that many partitions."""
    chosen: list[int] = ((murmur2(keys) & _POSITIVE) % np.uint32(partitions)).tolist()
    return chosen


def partition_of(key: bytes, partitions: int) -> int:
    """Partition of one key; for many, :func:`partitions_of` costs a hundredth."""
    return partitions_of([key], partitions)[0]
