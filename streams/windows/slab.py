"""The users at work, in memory: one row each, as they are stored, ready for numpy.

A slab is a write-through cache over the state table. A row leaves it only after its value
was stored (``flushed``), the least recently touched first; what isn't here is read from the
store again. Nothing here knows Kafka or Faust.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.windows.layout import ENTRY, FORM, SNAPSHOTS, Layout, entry_times
from streams.windows.stored_columns import read_many
from streams.windows.stored_tail import LocalId, Privacy, Tail, encode_tail
from streams.windows.stored_value import decode_value, encode_row

Rows = NDArray[np.int64]
"""Row numbers of a slab."""

NEVER: Final = np.iinfo(np.int64).min
TOGETHER: Final = 256
"""Stored values that are read at once: their rows fit into the processor's cache."""


class SlabFullError(RuntimeError):
    """More users at once than the slab has rows for; split the batch."""


class Slab:
    """Rows of users by key.

    Args:
        layout: byte layout of a row.
        bundle: tag of the bundle that computes the states.
        capacity: users held at the most.

    Attributes:
        rows: structured array [capacity] of ``layout.dtype``.
        newest_ms: int64 [capacity], event time of each row's newest event, ``NEVER`` where
            there is none.
        keys: user key of each row, None where free.
        partitions: log partition of each row.
        local_ids: local ids of rows that have any.
        privacy: consent and erasure of rows that have any.
        special: bool [capacity], where ``privacy`` has a row.
        batch: number of the current batch.
        flushed_batch: the last batch of which everything is stored.
    """

    def __init__(self, layout: Layout, bundle: int, capacity: int) -> None:
        self.layout = layout
        self.bundle = bundle
        self.capacity = capacity
        # calloc'd pages cost nothing until a user moves in.
        self.rows: NDArray[Any] = np.zeros(capacity, layout.dtype)
        self.newest_ms = np.full(capacity, NEVER, np.int64)
        self.keys: list[str | None] = [None] * capacity
        self.partitions = np.zeros(capacity, np.int32)
        self.local_ids: dict[int, list[LocalId]] = {}
        self.privacy: dict[int, Privacy] = {}
        self.special = np.zeros(capacity, np.bool_)
        self._row_of: dict[str, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._touched = np.zeros(capacity, np.int64)
        self.batch = self.flushed_batch = 0
        self._empty = layout.empty_row(bundle)
        self._bytes = self.rows.view(np.uint8).reshape(-1).data

    def __len__(self) -> int:
        return len(self._row_of)

    def find_all(self, keys: Sequence[str], missing: int) -> Rows:
        """Row of each user; ``missing`` where the user isn't in memory."""
        return np.fromiter(map(self._row_of.get, keys, repeat(missing)), np.int64, len(keys))

    def find(self, key: str) -> int | None:
        """Row of a user, None where the user isn't in memory."""
        return self._row_of.get(key)

    def begin_batch(self) -> int:
        """Number of the batch that begins; rows touched from now on belong to it."""
        self.batch += 1
        return self.batch

    def flushed(self, batch: int) -> None:
        """Everything touched up to ``batch`` is stored now and may be evicted."""
        self.flushed_batch = batch

    def touch(self, rows: Rows) -> None:
        """Rows are used by the current batch."""
        self._touched[rows] = self.batch

    def insert(self, key: str, partition: int, value: bytes | None) -> int:
        """Row of a user who wasn't in memory, from the stored value (None: a new user).

        Raises:
            SlabFullError: every row is in use by batches that aren't stored yet.
            StateError: ``value`` can't be read.
        """
        if value is None:
            return self._take_rows([key], partition, self._empty, NEVER)[0]
        row, tail = decode_value(self.layout, value)
        (number,) = self._take_rows([key], partition, row, self.newest(row[None]))
        self._keep(number, tail)
        return number

    def insert_many(
        self, keys: Sequence[str], partition: int, values: Sequence[bytes | None]
    ) -> list[int]:
        """Rows for users who weren't in memory, as far as that goes for many at once.

        Returns:
            Indices in ``keys`` of those who are still to be inserted, one by one: their values
            are of another layout, ask for a rebuild, or are damaged.

        Raises:
            SlabFullError: as for :meth:`insert`.
        """
        strangers = [key for key, value in zip(keys, values, strict=True) if value is None]
        self._take_rows(strangers, partition, self._empty, NEVER)
        known = [(n, value) for n, value in enumerate(values) if value is not None]
        left: list[int] = []
        for begin in range(0, len(known), TOGETHER):
            some = known[begin : begin + TOGETHER]
            stored = read_many(self.layout, [value for _, value in some])
            rows, here = stored.rows, [keys[some[n][0]] for n in stored.indices]
            numbers = self._take_rows(here, partition, rows, self.newest(rows))
            for n, tail in stored.tails.items():
                self._keep(numbers[n], tail)
            left += [some[n][0] for n in stored.left]
        return left

    def _keep(self, number: int, tail: Tail) -> None:
        """What a row's user has beside the row."""
        if tail.local_ids:
            self.local_ids[number] = tail.local_ids
        self.set_privacy(number, tail.privacy)

    def _take_rows(
        self,
        keys: Sequence[str],
        partition: int,
        rows: NDArray[Any],
        newest_ms: NDArray[np.int64] | int,
    ) -> list[int]:
        """Take a free row for each key; what it holds is one for each, or one for all."""
        while len(self._free) < len(keys):
            self._evict()
        first = len(self._free) - len(keys)
        numbers = self._free[first:][::-1]
        del self._free[first:]
        self.rows[numbers] = rows
        self.newest_ms[numbers] = newest_ms
        self.partitions[numbers] = partition
        self._touched[numbers] = self.batch
        for key, number in zip(keys, numbers, strict=True):
            self.keys[number] = key
            self._row_of[key] = number
        return numbers

    def set_privacy(self, number: int, privacy: Privacy | None) -> None:
        """What a row's user has asked for; None: nothing."""
        if privacy is None or privacy.needless:
            self.privacy.pop(number, None)
        else:
            self.privacy[number] = privacy
        self.special[number] = number in self.privacy

    def empty(self, number: int) -> None:
        """Make a row that of a user about whom nothing is known, as of the same log offset."""
        applied = self.rows["applied"][number]
        self.rows[number] = self._empty
        self.rows["applied"][number] = applied
        self.newest_ms[number] = NEVER

    def grow(self, capacity: int) -> None:
        """Make room for more users; row numbers stay."""
        more = capacity - self.capacity
        self.rows = np.concatenate([self.rows, np.zeros(more, self.layout.dtype)])
        self.newest_ms = np.concatenate([self.newest_ms, np.full(more, NEVER, np.int64)])
        self.partitions = np.concatenate([self.partitions, np.zeros(more, np.int32)])
        self.special = np.concatenate([self.special, np.zeros(more, np.bool_)])
        self._touched = np.concatenate([self._touched, np.zeros(more, np.int64)])
        self.keys += [None] * more
        self._free[:0] = range(capacity - 1, self.capacity - 1, -1)
        self.capacity = capacity
        self._bytes = self.rows.view(np.uint8).reshape(-1).data

    def remove(self, key: str) -> None:
        """Forget a user (the stored value is somebody else's business)."""
        number = self._row_of.pop(key, None)
        if number is not None:
            self.keys[number] = None
            self.local_ids.pop(number, None)
            self.set_privacy(number, None)
            self._free.append(number)

    def clear(self, partitions: Iterable[int] | None = None) -> None:
        """Forget all users of some partitions (None: all users)."""
        wanted = None if partitions is None else set(partitions)
        for key, number in list(self._row_of.items()):
            if wanted is None or int(self.partitions[number]) in wanted:
                self.remove(key)

    def newest(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Event time of each row's newest event, ``NEVER`` where there is none; int64 [n]."""
        length, base_ms = rows["length"].astype(np.int64), rows["base_ms"]
        slots = (rows["head"] + length - 1) % self.layout.window
        last = rows["ring"][np.arange(len(rows)), slots]
        never = np.where(rows["counts"].any(axis=1), base_ms, NEVER)
        return np.where(length > 0, entry_times(last, base_ms), never)

    def value(self, number: int) -> bytes:
        """Stored value of a row."""
        size = self.layout.dtype.itemsize
        raw = self._bytes[number * size : (number + 1) * size]
        local_ids, privacy = self.local_ids.get(number), self.privacy.get(number)
        tail = encode_tail(local_ids or (), privacy) if local_ids or privacy else b""
        return encode_row(self.layout, raw, tail)

    def values(self, rows: Rows) -> list[bytes]:
        """Stored values of rows; see :func:`streams.windows.stored_value.encode_row`."""
        layout, raw, join = self.layout, self._bytes, b"".join
        form, head, length = (self.rows[name][rows] for name in ("form", "head", "length"))
        slots = np.where(head > 0, layout.window, length).astype(np.int64)
        snapshots = (form - FORM).astype(np.int64)
        begins = rows * layout.dtype.itemsize
        states = begins + layout.header_bytes + (1 + snapshots) * layout.state_bytes
        rings = begins + layout.header_bytes + (1 + SNAPSHOTS) * layout.state_bytes
        ends = rings + ENTRY.itemsize * slots
        extents = zip(begins.tolist(), states.tolist(), rings.tolist(), ends.tolist(), strict=True)
        values = [
            bytes(raw[begin:end]) if state == ring else join((raw[begin:state], raw[ring:end]))
            for begin, state, ring, end in extents
        ]
        if self.local_ids or self.privacy:
            for index, row in enumerate(rows.tolist()):
                if row in self.local_ids or row in self.privacy:
                    values[index] = self.value(row)
        return values

    def _evict(self) -> None:
        """Free an eighth of the rows, or what can be freed."""
        idle = self._touched <= self.flushed_batch
        idle[self._free] = False
        numbers = np.flatnonzero(idle)
        if not len(numbers):
            raise SlabFullError(
                f"{self.capacity} users are in flight at once; raise service.users_in_memory"
            )
        oldest_first = np.argsort(self._touched[numbers], kind="stable")
        for number in numbers[oldest_first[: max(1, self.capacity // 8)]].tolist():
            key = self.keys[number]
            assert key is not None
            self.remove(key)
