"""Many stored values at once: nothing is read otherwise than one by one, nothing damaged is."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.errors import StateError
from streams.windows.layout import Layout
from streams.windows.stored_columns import read_many
from streams.windows.stored_tail import Privacy, Tail, encode_tail
from streams.windows.stored_value import decode_value, encode_row
from tests.unit.streams.windows.test_stored_value import layouts, raw_of, rows


def read_alone(layout: Layout, value: bytes) -> tuple[NDArray[Any], Tail] | None:
    """Row and tail of a value; None where it can't be read."""
    try:
        return decode_value(layout, value)
    except StateError:
        return None


def is_finite(row: NDArray[Any]) -> bool:
    return all(np.isfinite(row[name]).all() for name in ("current", "middle", "base"))


def shape_of(value: bytes) -> Layout:
    return Layout(value[1], 8 * value[3], value[2])


@given(st.data(), layouts, st.integers(0, 6))
def test_whole_values_are_read_at_once(data: st.DataObject, layout: Layout, count: int) -> None:
    drawn = [data.draw(rows(layout)) for _ in range(count)]
    found = read_many(layout, [encode_row(layout, raw_of(row)) for row in drawn])
    assert found.rows.dtype == layout.dtype
    assert [row.tobytes() for row in found.rows] == [row.tobytes() for row in drawn]
    assert (found.indices, found.tails, found.left) == (list(range(count)), {}, [])


@given(st.data(), layouts, st.integers(1, 5))
def test_what_is_read_is_what_is_read_alone(
    data: st.DataObject, layout: Layout, count: int
) -> None:
    """Also among values with a tail, of other layouts, cut, longer, and with any byte changed."""
    values: list[bytes] = []
    for _ in range(count):
        source = data.draw(st.one_of(st.just(layout), layouts))
        value = bytearray(encode_row(source, raw_of(data.draw(rows(source)))))
        match data.draw(
            st.sampled_from(["whole", "ids", "wishes", "cut", "longer", "byte", "nan"])
        ):
            case "ids":
                value += encode_tail([("shop", "a")])
            case "wishes":
                value += encode_tail([], Privacy(allow=True, pairs=(("shop", "news"),)))
            case "cut":
                del value[data.draw(st.integers(0, len(value))) :]
            case "longer":
                value += data.draw(st.binary(min_size=1, max_size=4))
            case "byte":
                value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
            case "nan":
                at = source.header_bytes + 2 * data.draw(st.integers(0, source.state_size - 1))
                value[at : at + 2] = np.float16(np.nan).tobytes()
        values.append(bytes(value))
    found = read_many(layout, values)
    assert sorted(found.indices + found.left) == list(range(count))
    for number, index in enumerate(found.indices):
        alone = read_alone(layout, values[index])
        assert alone is not None
        assert found.rows[number].tobytes() == alone[0].tobytes()
        assert found.tails.get(number, Tail()) == alone[1]
    for index in found.left:
        alone = read_alone(layout, values[index])
        # Damaged, of another layout, or of numbers that are none, so that it asks for a rebuild.
        assert alone is None or shape_of(values[index]) != layout or not is_finite(alone[0])
