"""Users in memory: a write-through cache that loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.windows.layout import ENTRY, FORM, Layout
from streams.windows.slab import NEVER, Slab, SlabFullError
from streams.windows.stored_tail import encode_tail
from streams.windows.stored_value import decode_value, encode_row

LAYOUT = Layout(2, 8, 4)
CAPACITY = 6
keys = st.sampled_from([f"u/{n}" for n in range(12)])
LINKED = {f"u/{n}" for n in range(0, 12, 3)}


class Cache(RuleBasedStateMachine):
    """A worker that reads, changes, stores late and forgets; the truth is a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.slab = Slab(LAYOUT, 9, CAPACITY)
        self.truth: dict[str, int] = {}
        self.stored: dict[str, bytes] = {}
        self.waiting: list[tuple[int, dict[str, bytes]]] = []

    @rule(users=st.lists(keys, min_size=1, max_size=4, unique=True))
    def batch(self, users: list[str]) -> None:
        slab = self.slab
        number = slab.begin_batch()
        assert number == slab.batch
        present = [row for key in users if (row := slab.find(key)) is not None]
        slab.touch(np.array(present, np.int64))
        try:
            rows = self._rows(users)
        except SlabFullError:
            assert len(self._in_flight(users)) >= CAPACITY
            self.forget()  # the worker ends, and starts again
            return
        for key, row in rows.items():
            self.truth[key] = self.truth.get(key, 0) + 1
            slab.rows["counts"][row, 1] += 1
            if key in LINKED:
                slab.local_ids[row] = [("shop", key)]
        assert len(rows) == len(users)
        # Nobody of this batch has made room for another of it.
        assert all(slab.keys[row] == key for key, row in rows.items())
        self.waiting.append((number, {key: slab.value(row) for key, row in rows.items()}))

    def _rows(self, users: list[str]) -> dict[str, int]:
        """Those who are in memory, the others at once, and who is left of them one by one."""
        missing = [key for key in users if self.slab.find(key) is None]
        values = [self.stored.get(key) for key in missing]
        for place in self.slab.insert_many(missing, 0, values):
            self.slab.insert(missing[place], 0, values[place])
        return {key: row for key in users if (row := self.slab.find(key)) is not None}

    def _in_flight(self, users: list[str]) -> set[str]:
        return {*users, *(key for _, values in self.waiting for key in values)}

    @rule()
    def store_oldest(self) -> None:
        if self.waiting:
            number, values = self.waiting.pop(0)
            self.stored |= values
            self.slab.flushed(number)

    @rule()
    def store_all(self) -> None:
        while self.waiting:
            self.store_oldest()

    @rule()
    def forget(self) -> None:
        self.store_all()
        self.slab.clear()
        assert len(self.slab) == 0

    @invariant()
    def what_is_not_stored_is_here(self) -> None:
        for key in {key for _, values in self.waiting for key in values}:
            assert self.slab.find(key) is not None

    @invariant()
    def everybody_is_right_here_or_in_the_store(self) -> None:
        for key, count in self.truth.items():
            row = self.slab.find(key)
            value = self.stored[key] if row is None else self.slab.value(row)
            decoded, tail = decode_value(LAYOUT, value)
            assert decoded["counts"].tolist() == [0, count]
            assert tail.local_ids == ([("shop", key)] if key in LINKED else [])

    @invariant()
    def the_books_agree(self) -> None:
        slab = self.slab
        used = [key for key in slab.keys if key is not None]
        assert len(used) == len(set(used)) == len(slab) <= CAPACITY
        assert all(slab.keys[slab.find(key) or 0] == key for key in used)


Cache.TestCase.settings = settings(max_examples=80, stateful_step_count=30)
TestCache = Cache.TestCase


def test_the_least_recently_touched_make_room() -> None:
    slab = Slab(LAYOUT, 9, 3)
    for key in ("a", "b", "c"):
        slab.flushed(slab.begin_batch())
        slab.insert(key, 0, None)
    slab.flushed(slab.begin_batch())
    row = slab.find("a")
    assert row is not None
    slab.touch(np.array([row]))
    slab.insert("d", 0, None)
    assert [slab.find(key) is not None for key in "abcd"] == [True, False, True, True]


def test_more_users_in_flight_than_rows_is_said_with_the_remedy() -> None:
    slab = Slab(LAYOUT, 9, 2)
    slab.begin_batch()
    slab.insert("a", 0, None)
    slab.insert("b", 0, None)
    with pytest.raises(SlabFullError, match=r"raise service\.users_in_memory"):
        slab.insert("c", 0, None)
    assert slab.find("a") is not None
    assert slab.find("b") is not None


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.sets(st.integers(0, 5)))
def test_only_the_given_partitions_are_forgotten(of: list[int], gone: set[int]) -> None:
    slab = Slab(LAYOUT, 9, 20)
    for number, partition in enumerate(of):
        slab.insert(f"u/{number}", partition, None)
    slab.clear(gone)
    left = [slab.find(f"u/{number}") is not None for number in range(len(of))]
    assert left == [partition not in gone for partition in of]
    assert len(slab) == sum(left)
    slab.clear()
    assert len(slab) == 0
    for number in range(20):
        slab.insert(f"u/new-{number}", 0, None)


@given(
    st.lists(st.integers(0, 2**41), min_size=0, max_size=4),
    st.integers(0, 3),
    st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3),
)
def test_a_row_comes_back_with_its_newest_time_and_ids(
    times: list[int], head: int, local_ids: list[tuple[str, str]]
) -> None:
    slab = Slab(LAYOUT, 9, 4)
    row = slab.insert("u/a", 0, None)
    full = len(times) == LAYOUT.window
    times = sorted(t % (1 << 38) for t in times)
    slab.rows["length"][row], slab.rows["head"][row] = len(times), head if full else 0
    for place, time_ms in enumerate(times):
        slot = (place + (head if full else 0)) % LAYOUT.window
        entry = np.zeros((), ENTRY)
        entry["time_low"], entry["time_high"] = time_ms & 0xFFFFFFFF, time_ms >> 32
        slab.rows["ring"][row, slot] = entry
    slab.rows["counts"][row, 0] = len(times)
    if local_ids:
        slab.local_ids[row] = local_ids
    value = slab.value(row)
    assert value.endswith(encode_tail(local_ids))
    slab.remove("u/a")
    again = slab.insert("u/a", 3, value)
    assert slab.newest_ms[again] == (times[-1] if times else NEVER)
    assert slab.local_ids.get(again, []) == local_ids
    assert slab.partitions[again] == 3
    assert slab.value(again) == value


def test_a_freed_row_keeps_nothing_of_its_former_user() -> None:
    slab = Slab(LAYOUT, 9, 1)
    row = slab.insert("u/a", 0, None)
    slab.rows[row] = np.frombuffer(b"\x07" * LAYOUT.dtype.itemsize, LAYOUT.dtype)[0]
    slab.local_ids[row] = [("shop", "a")]
    slab.remove("u/a")
    again = slab.insert("u/b", 0, None)
    assert slab.rows[again].tobytes() == LAYOUT.empty_row(9).tobytes()
    assert again not in slab.local_ids
    assert slab.newest_ms[again] == NEVER
    assert slab.rows["form"][again] == FORM


def test_many_come_back_as_one_by_one_does() -> None:
    one, many = Slab(LAYOUT, 9, 8), Slab(LAYOUT, 9, 8)
    linked = LAYOUT.empty_row(5).tobytes()[: LAYOUT.header_bytes + LAYOUT.state_bytes]
    other = Layout(1, 8, 2)
    values = [
        None,
        linked,
        linked + encode_tail([("shop", "b")]),
        encode_row(other, memoryview(other.empty_row(3).tobytes())),
        b"damaged",
        None,
    ]
    keys = [f"u/{n}" for n in range(len(values))]
    assert many.insert_many(keys, 2, values) == [3, 4]
    for place in (0, 1, 2, 5):
        row, same = many.find(keys[place]), one.insert(keys[place], 2, values[place])
        assert row is not None
        assert many.rows[row].tobytes() == one.rows[same].tobytes()
        assert many.local_ids.get(row) == one.local_ids.get(same)
        assert many.newest_ms[row] == one.newest_ms[same] == NEVER
        assert many.partitions[row] == 2
    assert all(many.find(keys[place]) is None for place in (3, 4))
    assert many.insert_many([], 2, []) == []


def test_removing_a_stranger_does_nothing() -> None:
    slab = Slab(LAYOUT, 9, 2)
    slab.remove("u/never-here")
    assert len(slab) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 3)), min_size=1,
                max_size=CAPACITY))  # fmt: skip
def test_values_of_many_rows_are_those_of_each(users: list[tuple[int, int, int]]) -> None:
    slab = Slab(LAYOUT, 9, CAPACITY)
    raw = slab.rows.view(np.uint8)
    raw[:] = np.arange(raw.nbytes, dtype=np.uint8)
    for number, (snapshots, length, head) in enumerate(users):
        row = slab.insert(f"u/{number}", 0, None)
        for name in ("current", "middle", "base"):
            slab.rows[name][row] = number + 1
        slab.rows["ring"]["item_low"][row] = np.arange(4) + number
        slab.rows["form"][row], slab.rows["length"][row] = FORM + snapshots, length
        slab.rows["head"][row] = head
        if number % 2:
            slab.local_ids[row] = [("shop", f"c-{number}")]
    rows = np.array([slab.find(f"u/{n}") for n in range(len(users))])
    assert slab.values(rows) == [slab.value(row) for row in rows.tolist()]
