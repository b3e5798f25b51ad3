"""Records of vectors, a batch at a time.

Everything that costs per number is done by numpy on the whole batch, and the loop over the
records runs inside ``map``: 1.2 µs per MessagePack record of 64 numbers (one core of a
shared machine; ``python -m streams.publish.encode`` measures it again).
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.labels import Labels
from streams.errors import PublishError
from streams.publish.pack import Packer
from streams.secrets import hidden
from streams.subscribe.schema import (
    CONTENT_TYPES,
    Encoding,
    InterestUpdate,
    headers,
    record_key,
    tombstone_headers,
)

FEW: Final = 96
"""Below so many records numpy's calls cost more than they save."""
SHARE_DECIMALS: Final = 4
# float16 has 11 significant bits, so 5 significant decimals name each number exactly.
VECTOR_DIGITS: Final = 5
_EXPONENT: Final = 0x7C00


class VectorEncoder:
    """Makes keys and values of vector records for one bundle.

    Args:
        bundle: bundle id, written into each record.
        platforms: names of the columns of ``shares``, in the bundle's order.
        encoding: of the values.
        shared: whether all targets publish on one topic (the key then names the target).
        labels: of each target that has some.
        label_count: how many labels a record carries at most, 0 for none.

    Attributes:
        headers: Kafka headers of every record that :meth:`encode` makes.
    """

    def __init__(
        self,
        bundle: str,
        platforms: Sequence[str],
        encoding: Encoding = "msgpack",
        *,
        shared: bool = False,
        labels: Mapping[str, Labels] | None = None,
        label_count: int = 0,
    ) -> None:
        self.labels = dict(labels or {}) if label_count else {}
        self.label_count = label_count
        self.bundle = bundle
        self.platforms = tuple(platforms)
        self.shared = shared
        self.headers = headers(encoding)
        self._vectors: Callable[[NDArray[np.float16]], list[Any]]
        self._value: Callable[[InterestUpdate], bytes]
        self._packer: Packer | None = None
        if encoding == "msgpack":
            self._vectors, self._value = packed_vectors, msgspec.msgpack.Encoder().encode
            self._packer = Packer(bundle, platforms)
        else:
            self._vectors, self._value = plain_vectors, msgspec.json.Encoder().encode

    def encode(
        self,
        target: str,
        ids: Sequence[str],
        users: Sequence[str],
        *,
        as_of_ms: Sequence[int] | NDArray[np.int64],
        events: Sequence[int] | NDArray[np.integer[Any]],
        shares: NDArray[np.floating[Any]],
        vectors: NDArray[np.float32],
        event_ts_ms: Sequence[int] | NDArray[np.int64],
        published_ms: int,
    ) -> list[tuple[bytes, bytes]]:
        """Key and value of n records for one target.

        Args:
            target: target platform.
            ids: n ids that the target knows.
            users: n canonical user ids.
            as_of_ms: [n] time of the newest event behind each vector.
            events: [n] number of events behind it.
            shares: [n, P] share of each source platform, rows summing to 1.
            vectors: float32 [n, V], any strides.
            event_ts_ms: [n] Kafka timestamp of the newest source record behind it.
            published_ms: now.

        Raises:
            PublishError: a vector isn't finite in float16; the message has a hash of the id.
            ValueError: the arguments differ in length.
        """
        if not len(ids) == len(users) == len(vectors) == len(events):
            raise ValueError(f"{len(ids)} ids, {len(users)} users, {len(vectors)} vectors")
        if not ids:
            return []
        half = self._checked(target, ids, vectors)
        values: Iterable[bytes] | None = None
        if self._packer is not None and len(ids) >= FEW and target not in self.labels:
            values = self._packer.pack(
                target,
                ids,
                users,
                as_of_ms=np.asarray(as_of_ms, np.int64),
                events=np.asarray(events, np.int64),
                shares=rounded(self.platforms, shares),
                vectors=half,
                published_ms=published_ms,
                event_ts_ms=np.asarray(event_ts_ms, np.int64),
            )
        if values is None:
            updates = map(
                InterestUpdate,
                ids,
                repeat(target),
                users,
                _ints(as_of_ms),
                repeat(self.bundle),
                _ints(events),
                share_maps(self.platforms, shares),
                self._vectors(half),
                repeat(published_ms),
                _ints(event_ts_ms),
                self._labels(target, vectors),
            )
            values = map(self._value, updates)
        return list(zip(self._keys(target, ids), values, strict=True))

    def tombstone(self, target: str, id: str) -> tuple[bytes, None, list[tuple[str, bytes]]]:
        """Key, value and headers that withdraw an id."""
        key = record_key(target, id, shared=self.shared)
        return key, None, tombstone_headers(target, id)

    def _labels(self, target: str, vectors: NDArray[np.float32]) -> Iterable[Any]:
        """Labels of each row, or that there are none."""
        labels = self.labels.get(target)
        if labels is None:
            return repeat(msgspec.UNSET)
        # From what is published, so that a reader of the vector gets the very same labels.
        rounded = vectors.astype("<f2").astype(np.float32)
        return labels.top(rounded, self.label_count)

    def _keys(self, target: str, ids: Sequence[str]) -> list[bytes]:
        if self.shared:
            return [record_key(target, id, shared=True) for id in ids]
        return list(map(str.encode, ids))

    def _checked(
        self, target: str, ids: Sequence[str], vectors: NDArray[np.float32]
    ) -> NDArray[np.float16]:
        with np.errstate(over="ignore"):
            half = np.ascontiguousarray(vectors, dtype="<f2")
        # All exponent bits set: an infinity or a NaN. 20 times as fast as np.isfinite.
        if half.size and (half.view("<u2") & _EXPONENT).max() == _EXPONENT:
            bad = np.flatnonzero(~np.isfinite(half).all(axis=1))
            raise PublishError(
                f"the vector for {hidden(ids[bad[0]])} of target {target!r} isn't finite in"
                f" float16 (so for {len(bad)} of {len(ids)}); bundle {self.bundle!r} makes"
                " such vectors, export it again from a model that passes its evaluation"
            )
        return half


def packed_vectors(half: NDArray[np.floating[Any]]) -> list[bytes]:
    """Float16 [n, V], C-contiguous and little-endian, as n pieces of 2 V bytes."""
    rows = half.view(f"V{half.itemsize * half.shape[1]}")
    pieces: list[bytes] = rows[:, 0].tolist()
    return pieces


def plain_vectors(half: NDArray[np.floating[Any]]) -> list[list[float]]:
    """Float16 [n, V] as lists of the decimals that give the same float16 back."""
    numbers: list[list[float]] = _decimals()[half.view("<u2")].tolist()
    return numbers


@cache
def _decimals() -> NDArray[np.float64]:
    """Shortest decimal for each of the 65,536 float16 bit patterns (NaN and inf: NaN)."""
    wide = np.arange(1 << 16, dtype="<u2").view("<f2").astype(np.float64)
    wide[~np.isfinite(wide)] = np.nan
    return np.array([float(f"{number:.{VECTOR_DIGITS}g}") for number in wide])


def share_maps(
    platforms: Sequence[str], shares: NDArray[np.floating[Any]]
) -> list[dict[str, float]]:
    """Share by platform for each row of [n, P], to 4 decimals, zeros left out.

    Raises:
        ValueError: ``shares`` hasn't one column for each platform.
    """
    some = rounded(platforms, shares)
    # Comparing a share is dearer than storing it: only rows with a zero are looked through.
    full = np.atleast_1d((some > 0).all(axis=1)).tolist()
    return [
        dict(zip(platforms, row, strict=False))
        if whole
        else {name: share for name, share in zip(platforms, row, strict=False) if share}
        for row, whole in zip(some.tolist(), full, strict=False)
    ]


def rounded(platforms: Sequence[str], shares: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Shares [n, P] to 4 decimals.

    Raises:
        ValueError: ``shares`` hasn't one column for each platform.
    """
    some = np.asarray(shares, np.float64).round(SHARE_DECIMALS)
    if some.ndim != 2 or some.shape[1] != len(platforms):
        raise ValueError(f"shares are {some.shape}, expected [n, {len(platforms)}]")
    return some


def _ints(values: Sequence[int] | NDArray[np.integer[Any]]) -> Sequence[int]:
    if isinstance(values, np.ndarray):
        whole: list[int] = values.tolist()
        return whole
    return values


def measure(encoding: Encoding, n: int = 1000, width: int = 64) -> float:
    """Best of five: microseconds per record for a batch of n vectors of ``width`` numbers."""
    random = np.random.default_rng(0)
    encoder = VectorEncoder("0123456789ab", ("video", "shop", "news"), encoding)
    ids = [f"user-{i}" for i in range(n)]
    vectors = random.standard_normal((n, width)).astype(np.float32)
    shares = random.dirichlet([1.0, 1.0, 1.0], n)
    times = np.arange(n) + 1_700_000_000_000

    def batch() -> list[tuple[bytes, bytes]]:
        return encoder.encode(
            "shop", ids, ids, as_of_ms=times, events=times % 64, shares=shares,
            vectors=vectors, event_ts_ms=times, published_ms=1_700_000_000_000,
        )  # fmt: skip

    return min(timeit.repeat(batch, number=5, repeat=5)) / 5 / n * 1e6


if __name__ == "__main__":
    for name in CONTENT_TYPES:
        sys.stdout.write(f"{name}: {measure(name):.2f} µs per record\n")
