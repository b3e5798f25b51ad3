"""Records of vectors, a batch at a time.

Everything that costs per number is done by numpy on the whole batch, and the loop over the
records runs inside ``map``: 1.2 µs per MessagePack record of 64 numbers (one core of a
shared machine; ``python -m tests.bench.update_path`` measures it again).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.labels import Labels
from streams.effects.effects import VectorBatch
from streams.errors import PublishError
from streams.publish.numbers import packed_vectors, plain_vectors, rounded, share_maps
from streams.publish.pack import Packer
from streams.secrets import hidden
from streams.subscribe.schema import (
    Encoding,
    InterestUpdate,
    headers,
    record_key,
    tombstone_headers,
)

FEW: Final = 96
"""Below so many records numpy's calls cost more than they save."""
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
        self, target: str, batch: VectorBatch, published_ms: int
    ) -> list[tuple[bytes, bytes]]:
        """Key and value of n records for one target.

        Args:
            target: target platform.
            batch: the vectors; whose ``targets`` they are isn't looked at.
            published_ms: now.

        Raises:
            PublishError: a vector isn't finite in float16; the message has a hash of the id.
            ValueError: the columns differ in length.
        """
        ids = batch.ids
        if not len(ids) == len(batch.users) == len(batch.vectors) == len(batch.events):
            raise ValueError(
                f"{len(ids)} ids, {len(batch.users)} users, {len(batch.vectors)} vectors"
            )
        if not ids:
            return []
        half = self._checked(target, ids, batch.vectors)
        values: Iterable[bytes] | None = None
        if self._packer is not None and len(ids) >= FEW and target not in self.labels:
            shares = rounded(self.platforms, batch.shares)
            values = self._packer.pack(target, batch, shares, half, published_ms)
        if values is None:
            values = map(self._value, self._updates(target, batch, half, published_ms))
        return list(zip(self._keys(target, ids), values, strict=True))

    def _updates(
        self, target: str, batch: VectorBatch, half: NDArray[np.float16], published_ms: int
    ) -> Iterable[InterestUpdate]:
        return map(
            InterestUpdate,
            batch.ids,
            repeat(target),
            batch.users,
            batch.as_of_ms.tolist(),
            repeat(self.bundle),
            batch.events.tolist(),
            share_maps(self.platforms, batch.shares),
            self._vectors(half),
            repeat(published_ms),
            batch.source_ms.tolist(),
            self._labels(target, batch.vectors),
        )

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
