"""Vector messages in MessagePack, a batch from columns.

The bytes are those that msgspec makes of :class:`streams.subscribe.schema.InterestUpdate`, which a
test holds. What has the same length in every message of a batch is written by numpy into a
matrix of bytes, one row for each message; names and ids, which haven't, are put before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.effects.effects import VectorBatch

_LONG: Final = 1 << 32
"""From here on MessagePack takes nine bytes for a number."""
_U64: Final = b"\xcf" + bytes(8)
_F64: Final = b"\xcb" + bytes(8)

packed: Final = msgspec.msgpack.Encoder().encode
_COUNTS: Final = [packed(number) for number in range(2048)]

Int64 = NDArray[np.int64]


class Packer:
    """Packs messages of one bundle.

    Args:
        bundle: bundle id.
        platforms: names of the columns of ``shares``.
    """

    def __init__(self, bundle: str, platforms: Sequence[str]) -> None:
        self._platforms = [packed(name) for name in platforms]
        self._as_of = b"\xa8as_of_ms" + _U64
        self._when = self._as_of + b"\xa6bundle" + packed(bundle) + b"\xa6events"

    def pack(
        self,
        target: str,
        batch: VectorBatch,
        shares: NDArray[np.float64],
        half: NDArray[np.float16],
        published_ms: int,
    ) -> list[bytes] | None:
        """Values of n messages for one target; None where a time needs less than 64 bits.

        Args:
            target: target platform.
            batch: as for :meth:`streams.publish.encode.VectorEncoder.encode`.
            shares: [n, P], rounded.
            half: the vectors [n, V], little-endian and contiguous.
            published_ms: now.
        """
        as_of_ms, event_ts_ms = batch.as_of_ms, batch.source_ms
        if min(as_of_ms.min(), event_ts_ms.min(), published_ms) < _LONG:
            return None
        addressed = b"\xa6target" + packed(target) + b"\xa4user"
        heads = [
            b"".join((b"\x8a\xa2id", id, addressed, user))
            for id, user in zip(map(packed, batch.ids), map(packed, batch.users), strict=True)
        ]
        when = _rows(self._when, {len(self._as_of) - 8: as_of_ms.astype(">u8")}, len(heads))
        counts = [_COUNTS[n] if n < len(_COUNTS) else packed(n) for n in batch.events.tolist()]
        rests = self._rests(shares, half, published_ms, event_ts_ms)
        return list(map(b"".join, zip(heads, when, counts, rests, strict=True)))

    def _rests(
        self,
        shares: NDArray[np.float64],
        vectors: NDArray[np.float16],
        published_ms: int,
        event_ts_ms: Int64,
    ) -> list[bytes]:
        """From the sources on; messages with the same sources have the same length."""
        kinds = (shares != 0) @ (1 << np.arange(shares.shape[1]))
        rests: list[bytes] = [b""] * len(kinds)
        for kind in np.unique(kinds).tolist():
            where = np.flatnonzero(kinds == kind)
            present = np.flatnonzero(shares[where[0]])
            template, begins = self._template(present, vectors.shape[1], published_ms)
            columns = [shares[where, p].astype(">f8") for p in present.tolist()]
            columns += [vectors[where], event_ts_ms[where].astype(">u8")]
            rows = _rows(template, dict(zip(begins, columns, strict=True)), len(where))
            for index, row in zip(where.tolist(), rows, strict=True):
                rests[index] = row
        return rests

    def _template(self, present: Int64, width: int, published_ms: int) -> tuple[bytes, list[int]]:
        """A message from its sources on, and where shares, vector and last time go in it."""
        out = b"\xa7sources" + _map_head(len(present))
        begins = []
        for platform in present.tolist():
            out += self._platforms[platform] + _F64
            begins.append(len(out) - 8)
        vector = packed(bytes(2 * width))
        out += b"\xa6vector" + vector
        begins.append(len(out) - 2 * width)
        out += b"\xacpublished_ms" + packed(published_ms) + b"\xabevent_ts_ms" + _U64
        return out, [*begins, len(out) - 8]


def _map_head(entries: int) -> bytes:
    """How a MessagePack map begins."""
    return bytes((0x80 | entries,)) if entries < 16 else b"\xde" + entries.to_bytes(2, "big")


def _rows(template: bytes, columns: dict[int, NDArray[Any]], count: int) -> list[bytes]:
    """The template ``count`` times, with columns written over it from some bytes on."""
    matrix = np.empty((count, len(template)), np.uint8)
    matrix[:] = np.frombuffer(template, np.uint8)
    for begin, column in columns.items():
        raw = np.ascontiguousarray(column).view(np.uint8).reshape(count, -1)
        matrix[:, begin : begin + raw.shape[1]] = raw
    rows: list[bytes] = matrix.view(f"V{len(template)}")[:, 0].tolist()
    return rows
