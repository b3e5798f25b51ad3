"""Merging a provisional user's history into a user's: exact where the docstring says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.effects.effects import Effects
from streams.log.records import Adopt, Event, Link, LogRecord, Via
from streams.windows.layout import entry_times, ring_entries
from streams.windows.rewind import base_is_beginning, events_behind, is_complete
from tests.unit.streams.toy import (
    DAY_MS,
    LOG,
    START_MS,
    MemoryStore,
    ReferenceUser,
    ToyModel,
    batch,
    event,
    toy_catalogue,
    toy_updater,
)

WINDOW = 8
HORIZON = 30 * DAY_MS
USER, LOCAL = "u/ann", "l/shop/c-1"


class Couple:
    """A user and a local id with a history each, then one user."""

    def __init__(self, own: Sequence[Event], guests: Sequence[Event]) -> None:
        self.updater, self.store = toy_updater(WINDOW), MemoryStore()
        self.own, self.guests = list(own), list(guests)
        self.offset = 0
        self.apply([(USER, e) for e in own])
        self.apply([(LOCAL, e) for e in guests])
        link = Link(Via("shop.links", 0, 0), "shop", "c-1", "ann", START_MS)
        linked = self.apply([(LOCAL, link)])
        ((key, adopt),) = linked.forwards
        assert key == USER
        self.effects = self.apply([(key, adopt)])
        found = self.updater.slab.find(USER)
        assert found is not None
        self.row = found

    def apply(self, records: Sequence[tuple[str, LogRecord]]) -> Effects:
        effects = self.updater.process([batch(0, self.offset, records)], self.store)
        self.offset += len(records)
        self.store.write(effects)
        self.updater.release()  # only what is stored counts
        if records:
            again = [(records[-1][0], event(0, offset=0))]  # long seen: loads the user
            self.updater.process([batch(0, 0, again)], self.store)
        return effects

    def equals(self, events: Sequence[Event]) -> bool:
        right = ReferenceUser(WINDOW, HORIZON, list(events)).state(ToyModel(), toy_catalogue())
        return bool((self.updater.slab.rows["current"][self.row] == right).all())

    @property
    def counted(self) -> int:
        return events_behind(self.updater.slab, self.row)

    def merged(self) -> list[Event]:
        return sorted([*self.own, *self.guests], key=lambda e: e.time_ms)


def history(times: Sequence[int], platform: str, first: int) -> list[Event]:
    return [
        event(START_MS + t, offset=first + n, item=f"i{(first + n) % 20}", platform=platform)
        for n, t in enumerate(times)
    ]


def couple(own: Sequence[int], guests: Sequence[int]) -> Couple:
    return Couple(history(own, "video", 0), history(guests, "shop", 1000))


times = st.lists(st.integers(0, HORIZON), min_size=0, max_size=WINDOW, unique=True).map(sorted)


@settings(max_examples=60)
@given(times, times)
def test_two_histories_that_fit_their_windows_become_one_in_time_order(
    own: list[int], guests: list[int]
) -> None:
    # Even and odd: no ties between the two, whose order nobody knows.
    own, guests = [2 * (t // 2) for t in own], [2 * (t // 2) + 1 for t in guests]
    found = couple(sorted(set(own)), sorted(set(guests)))
    assert found.counted == len(found.own) + len(found.guests)
    if found.counted:
        assert found.equals(found.merged())
        assert found.effects.counts.skipped["unplaceable"] == 0
        assert found.effects.vectors is not None
        assert set(found.effects.vectors.events.tolist()) == {found.counted}
    if found.guests:
        assert found.effects.counts.identity["merged"] == 1
    assert found.effects.counts.applied.total() == 0  # they were applied before


@pytest.mark.parametrize("guests_are_longer", [False, True])
@pytest.mark.parametrize("length", [WINDOW + 1, 3 * WINDOW, 100])
def test_a_short_history_that_is_newer_than_the_long_ones_base_fits_exactly(
    length: int, guests_are_longer: bool
) -> None:
    long = [1000 * n for n in range(length)]
    short = [long[-1] - 500, long[-1] + 500]
    found = couple(short, long) if guests_are_longer else couple(long, short)
    assert found.equals(found.merged())
    assert found.counted == length + 2
    assert found.effects.counts.skipped["unplaceable"] == 0


@pytest.mark.parametrize("guests_are_longer", [False, True])
def test_of_a_short_history_what_is_older_than_the_long_ones_base_is_left_out(
    guests_are_longer: bool,
) -> None:
    long = [1000 * n for n in range(50)]
    short = [500, 10_500, long[-1] - 500]
    found = couple(short, long) if guests_are_longer else couple(long, short)
    longer = found.guests if guests_are_longer else found.own
    shorter = found.own if guests_are_longer else found.guests
    placed = sorted([*longer, shorter[-1]], key=lambda e: e.time_ms)
    assert found.equals(placed)
    assert found.counted == 51
    assert found.effects.counts.skipped["unplaceable"] == 2


def test_two_histories_beyond_their_windows_keep_the_users_and_count_what_is_lost() -> None:
    own = [1000 * n for n in range(40)]
    guests = [1000 * n + 500 for n in range(30)]
    found = couple(own, guests)
    lost = found.effects.counts.skipped["unplaceable"]
    assert found.counted + lost == 70
    assert found.counted >= 40
    assert found.updater.slab.newest_ms[found.row] == START_MS + own[-1]


@pytest.mark.parametrize("length", [1, WINDOW, 200])
def test_a_history_moves_whole_to_a_user_without_one(length: int) -> None:
    found = couple([], [1000 * n for n in range(length)])
    assert found.equals(found.guests)
    assert found.counted == length
    # And it goes on exactly, with late events too.
    late = event(START_MS + 1000 * (length - 1) - 1, offset=2000, platform="news")
    found.apply([(USER, late)])
    found.row = found.updater.slab.find(USER) or 0
    assert found.equals(sorted([*found.guests, late], key=lambda e: e.time_ms))


@pytest.mark.parametrize("length", [1, WINDOW, 200])
def test_a_user_keeps_a_history_when_the_local_id_has_none(length: int) -> None:
    found = couple([1000 * n for n in range(length)], [])
    assert found.equals(found.own)
    assert found.updater.slab.local_ids[found.row] == [("shop", "c-1")]


def test_an_event_that_both_have_counts_once() -> None:
    own = [event(START_MS + 1000 * n, offset=n) for n in range(4)]
    twin = Event(Via("shop.click", 0, 9), "video", "click", "i0", own[2].time_ms,
                     own[2].event_hash, START_MS)  # fmt: skip
    found = Couple(own, [event(START_MS + 500, offset=50), twin])
    assert found.counted == 5
    assert found.effects.counts.skipped["unplaceable"] == 0


def test_a_merged_user_goes_on_as_one_history() -> None:
    found = couple([0, 2000, 4000], [1000, 3000])
    more = [event(START_MS + 5000 + n, offset=100 + n, item=f"i{n}") for n in range(20)]
    found.apply([(USER, e) for e in more])
    found.row = found.updater.slab.find(USER) or 0
    assert found.equals([*found.merged(), *more])
    slab = found.updater.slab
    assert not is_complete(slab, found.row)
    assert not base_is_beginning(slab, found.row)
    entries = ring_entries(slab.layout, slab.rows[found.row])
    kept = entry_times(entries, START_MS)
    assert kept.tolist() == [e.time_ms for e in more[-WINDOW:]]


def test_a_late_event_after_a_merge_is_placed_in_the_merged_history() -> None:
    found = couple([0, 2000], [1000, 3000])
    late = event(START_MS + 1500, offset=100, item="i9")
    found.apply([(USER, late)])
    found.row = found.updater.slab.find(USER) or 0
    assert found.equals(sorted([*found.merged(), late], key=lambda e: e.time_ms))


def test_the_guest_leaves_no_trace_in_memory() -> None:
    found = couple([0], [1])
    assert not [key for key in found.updater.slab.keys if key is not None and "\0" in key]
    adopt = Adopt(Via(LOG, 3, 99), "shop", "c-2", b"", START_MS)
    found.apply([(USER, adopt)])
    row = found.updater.slab.find(USER)
    assert row is not None
    assert found.updater.slab.local_ids[row] == [("shop", "c-1"), ("shop", "c-2")]
    assert np.count_nonzero(found.updater.slab.rows["counts"][row]) == 2
