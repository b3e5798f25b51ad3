"""Many stored values at once, as rows: what is read when many users come back.

:func:`streams.windows.stored_value.decode_value` reads any value that this version knows, one at a
time. Nearly all are of the layout in force and whole; those are copied into rows, and looked at
as columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.errors import DamagedError
from streams.windows.layout import ENTRY, FORM, SNAPSHOTS, Layout, finite, possible
from streams.windows.stored_tail import Tail
from streams.windows.stored_value import decode_tail

HEAD: Final = 8
"""Bytes of a value that say how long it is, and how much of what it has."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What many stored values hold.

    Attributes:
        rows: those that are read, [n] of ``layout.dtype``.
        indices: the index of each row's value, in order.
        tails: what follows a row, by its number in ``rows``; of those that have any.
        left: indices of the values that have to be looked at one by one: they are of another
            layout, ask for a rebuild, or are damaged.
    """

    rows: NDArray[Any]
    indices: list[int]
    tails: dict[int, Tail]
    left: list[int]


def read_many(layout: Layout, values: Sequence[bytes]) -> Stored:
    """Read the values that are of a layout, whole and finite."""
    rows = np.zeros(len(values), layout.dtype)
    states, ends, plain = _extents(layout, values)
    whole, ring = layout.dtype.itemsize, layout.header_bytes + (1 + SNAPSHOTS) * layout.state_bytes
    raw = rows.view(np.uint8).data
    tails = {}
    for n in np.flatnonzero(plain).tolist():
        value, begin, state, end = values[n], n * whole, states[n], ends[n]
        raw[begin : begin + state] = value[:state]
        raw[begin + ring : begin + ring + end - state] = value[state:end]
        if len(value) > end:
            try:
                tails[n] = decode_tail(layout, value[end:])
            except DamagedError:
                plain[n] = False
    plain &= possible(layout, rows) & finite(rows)
    if plain.all():
        return Stored(rows, list(range(len(values))), tails, [])
    indices = np.flatnonzero(plain).tolist()
    number = {index: row for row, index in enumerate(indices)}
    kept = {number[index]: tail for index, tail in tails.items() if index in number}
    return Stored(rows[plain], indices, kept, np.flatnonzero(~plain).tolist())


def _extents(
    layout: Layout, values: Sequence[bytes]
) -> tuple[list[int], list[int], NDArray[np.bool_]]:
    """Where each value's ring begins and ends, and whether it is of the layout and consistent."""
    heads = b"".join([value[:HEAD].ljust(HEAD, b"\0") for value in values])
    columns = np.frombuffer(heads, np.uint8).reshape(-1, HEAD).T.astype(np.int64)
    form, platforms, window, octets, head, length, since_base, since_mid = columns
    states = layout.header_bytes + (1 + form - FORM) * layout.state_bytes
    ends = states + ENTRY.itemsize * np.where(head == 0, length, layout.window)
    plain = (
        (form >= FORM)
        & (form <= FORM + SNAPSHOTS)
        & (platforms == layout.platforms)
        & (window == layout.window)
        & (octets == layout.state_size // 8)
        & (since_mid <= since_base)
        & (since_base <= length)
        & (length <= layout.window)
        & (head < layout.window)
        & (ends <= np.fromiter(map(len, values), np.int64, len(values)))
    )
    return states.tolist(), ends.tolist(), plain
