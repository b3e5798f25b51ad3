"""Stored values: bytes and back, values of other shapes, damaged bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.errors import StateError
from streams.windows.layout import (
    ACTION_BITS,
    ENTRY,
    FORM,
    Layout,
    entry_items,
    entry_times,
    ring_entries,
)
from streams.windows.stored_tail import LocalId, Tail, encode_tail
from streams.windows.stored_value import decode_pointer, decode_value, encode_pointer, encode_row

layouts = st.builds(
    Layout,
    platforms=st.integers(1, 8),
    state_size=st.sampled_from([8, 16, 64]),
    window=st.integers(1, 20).map(lambda half: 2 * half),
)
tails = st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=4)
STATES = ("current", "middle", "base")


@st.composite
def rows(draw: st.DrawFn, layout: Layout) -> NDArray[Any]:
    """Any row that the update could leave: unused slots and snapshots are zero."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    row = layout.empty_row(draw(st.integers(0, 2**32 - 1)))
    snapshots = draw(st.integers(0, 2))
    length = draw(st.integers(0, layout.window))
    head = draw(st.integers(0, layout.window - 1)) if length == layout.window else 0
    row["form"], row["head"], row["length"] = FORM + snapshots, head, length
    row["since_base"] = draw(st.integers(0, length))
    row["since_mid"] = draw(st.integers(0, int(row["since_base"])))
    row["base_ms"] = draw(st.integers(0, 2**42))
    row["applied"] = draw(st.integers(-1, 2**60))
    row["counts"] = rng.integers(0, 2**32, layout.platforms)
    for name in STATES[: 1 + snapshots]:
        row[name] = rng.normal(size=layout.state_size)
    used = rng.integers(0, 256, (length, ENTRY.itemsize), np.uint8)
    row["ring"][:length] = used.view(ENTRY)[:, 0]
    kinds = rng.integers(0, layout.platforms, length) << ACTION_BITS
    row["ring"]["kind"][:length] = kinds + rng.integers(0, len(ACTIONS), length)
    return row


def raw_of(row: NDArray[Any]) -> memoryview:
    return memoryview(row.tobytes())


@given(st.data(), layouts, tails)
def test_a_row_comes_back_equal_whatever_its_shape(
    data: st.DataObject, layout: Layout, local_ids: list[LocalId]
) -> None:
    row = data.draw(rows(layout))
    value = encode_row(layout, raw_of(row), encode_tail(local_ids))
    back, tail = decode_value(layout, value)
    assert back.tobytes() == row.tobytes()
    assert tail == Tail(local_ids)
    assert encode_row(layout, raw_of(back), encode_tail(local_ids)) == value


@given(st.data(), layouts)
def test_what_is_empty_is_not_stored(data: st.DataObject, layout: Layout) -> None:
    row = data.draw(rows(layout))
    snapshots, length = int(row["form"]) - FORM, int(row["length"])
    expected = layout.header_bytes + (1 + snapshots) * layout.state_bytes + 15 * length
    assert len(encode_row(layout, raw_of(row))) == expected


def test_a_full_window_takes_a_thousand_bytes_beside_the_states() -> None:
    layout = Layout(platforms=3, state_size=128, window=64)
    row = layout.empty_row(1)
    row["form"], row["length"], row["head"] = FORM + 2, 64, 17
    assert len(encode_row(layout, raw_of(row))) - 3 * layout.state_bytes <= 1000


@given(st.data(), layouts, st.integers(1, 20), st.integers(0, 8), tails)
def test_another_window_or_more_platforms_keep_counts_and_newest_entries(
    data: st.DataObject, source: Layout, half: int, more: int, local_ids: list[LocalId]
) -> None:
    row = data.draw(rows(source))
    target = Layout(source.platforms + more, source.state_size, 2 * half)
    value = encode_row(source, raw_of(row), encode_tail(local_ids))
    out, tail = decode_value(target, value)
    assert tail == Tail(local_ids)
    assert out["counts"].tolist() == row["counts"].tolist() + [0] * more
    assert (out["applied"], out["base_ms"]) == (row["applied"], row["base_ms"])
    kept = ring_entries(source, row)[-target.window :]
    assert ring_entries(target, out).tobytes() == kept.tobytes()
    if source.window == target.window:
        assert out["bundle"] == row["bundle"]
        assert all(out[name].tobytes() == row[name].tobytes() for name in STATES)
        assert all(out[name] == row[name] for name in ("form", "since_base", "since_mid"))
    else:
        asks_for_rebuild(out)
    again, _ = decode_value(target, encode_row(target, raw_of(out)))
    assert again.tobytes() == out.tobytes()


@given(st.data(), layouts, st.sampled_from([8, 24, 64]))
def test_a_state_of_another_size_is_dropped_and_rebuilt(
    data: st.DataObject, source: Layout, size: int
) -> None:
    target = Layout(source.platforms, size, source.window)
    row = data.draw(rows(source))
    out, _ = decode_value(target, encode_row(source, raw_of(row)))
    assert ring_entries(target, out).tobytes() == ring_entries(source, row).tobytes()
    if size == source.state_size:
        assert out.tobytes() == row.tobytes()
    else:
        asks_for_rebuild(out)


def asks_for_rebuild(row: NDArray[Any]) -> None:
    """No state, and the tag of no bundle."""
    assert row["bundle"] == 0
    assert row["form"] == FORM
    assert not any(row[name].any() for name in STATES)


def test_platforms_cannot_be_taken_away() -> None:
    row = Layout(3, 8, 4).empty_row(1)
    with pytest.raises(StateError, match="knows 3 platforms, the bundle 2"):
        decode_value(Layout(2, 8, 4), encode_row(Layout(3, 8, 4), raw_of(row)))


LAYOUT = Layout(3, 8, 4)


@given(st.binary(max_size=300))
@example(b"")
@example(bytes([FORM]))
@example(bytes([FORM, 3, 0, 1]) + bytes(60))
def test_any_bytes_decode_or_raise_a_state_error(value: bytes) -> None:
    decodes_or_raises(value)


@given(st.data(), tails)
def test_a_damaged_value_decodes_or_raises_a_state_error(
    data: st.DataObject, local_ids: list[LocalId]
) -> None:
    row = data.draw(rows(LAYOUT))
    value = bytearray(encode_row(LAYOUT, raw_of(row), encode_tail(local_ids)))
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(value) - 1), st.integers(0, 255)), max_size=4)
    ):
        value[at] = byte
    decodes_or_raises(bytes(value[: data.draw(st.integers(0, len(value)))]))


@pytest.mark.parametrize("at", range(8))
def test_every_damage_of_the_shape_bytes_is_noticed_or_harmless(at: int) -> None:
    row = LAYOUT.empty_row(1)
    row["form"], row["length"], row["head"] = FORM + 2, 4, 1
    row["since_base"], row["since_mid"] = 4, 2
    value = bytearray(encode_row(LAYOUT, raw_of(row)) + encode_tail([("shop", "c-1")]))
    for byte in range(256):
        value[at] = byte
        decodes_or_raises(bytes(value))


def decodes_or_raises(value: bytes) -> None:
    """What decodes can be used: the window can be read, and the value stored again."""
    try:
        row, tail = decode_value(LAYOUT, value)
    except StateError:
        return
    entries = ring_entries(LAYOUT, row)
    assert len(entries) == row["length"] <= LAYOUT.window
    assert row["head"] < LAYOUT.window
    assert row["since_mid"] <= row["since_base"] <= row["length"]
    encode_row(LAYOUT, raw_of(row), encode_tail(tail.local_ids, tail.privacy))


@pytest.mark.parametrize("cut", [1, 15, 40])
def test_a_cut_value_says_so(cut: int) -> None:
    row = LAYOUT.empty_row(1)
    row["length"] = 2
    value = encode_row(LAYOUT, raw_of(row))
    with pytest.raises(StateError, match=r"it is damaged|has \d+ bytes"):
        decode_value(LAYOUT, value[:-cut])


def test_a_later_version_is_refused_by_name() -> None:
    value = bytearray(encode_row(LAYOUT, raw_of(LAYOUT.empty_row(1))))
    value[0] = 0x20
    with pytest.raises(StateError, match="run the version that wrote it"):
        decode_value(LAYOUT, bytes(value))


@given(st.text(max_size=20))
def test_a_pointer_tells_its_user_and_is_no_state(user: str) -> None:
    value = encode_pointer(user)
    assert decode_pointer(value) == user
    with pytest.raises(StateError):
        decode_value(LAYOUT, value)


@given(st.binary(max_size=40))
def test_a_damaged_pointer_raises_a_state_error(raw: bytes) -> None:
    with suppress(StateError):
        decode_pointer(b"\x01" + raw)


@given(st.data())
def test_a_state_is_no_pointer(data: st.DataObject) -> None:
    assert decode_pointer(encode_row(LAYOUT, raw_of(data.draw(rows(LAYOUT))))) is None


@given(st.integers(0, 2**43), st.integers(-(2**39), 2**39 - 1))
def test_forty_bits_of_a_time_are_enough_within_seventeen_years(near: int, away: int) -> None:
    time_ms = near + away
    entry = np.zeros(1, ENTRY)
    entry["time_low"], entry["time_high"] = time_ms & 0xFFFFFFFF, time_ms >> 32 & 0xFF
    assert entry_times(entry, near).tolist() == [time_ms]


@given(st.integers(0, 2**40 - 1))
def test_item_hashes_have_forty_bits(hash40: int) -> None:
    entry = np.zeros(1, ENTRY)
    entry["item_low"], entry["item_high"] = hash40 & 0xFFFFFFFF, hash40 >> 32
    assert entry_items(entry).tolist() == [hash40]
