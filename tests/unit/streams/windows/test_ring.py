"""Snapshots, resets and the ring, step by step against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.log.records import Event
from streams.windows.layout import FORM, entry_times, ring_entries
from tests.unit.streams.toy import (
    DAY_MS,
    START_MS,
    MemoryStore,
    ReferenceUser,
    S,
    ToyModel,
    batch,
    event,
    toy_catalogue,
    toy_updater,
)

WINDOW = 8
HALF = WINDOW // 2
HORIZON = 30 * DAY_MS


def made(times: list[int]) -> list[Event]:
    return [event(t, offset=n, item=f"i{n % 20}") for n, t in enumerate(times)]


@pytest.mark.parametrize("cut", [1, 3, 1000])
@pytest.mark.parametrize("count", [1, HALF, HALF + 1, WINDOW, WINDOW + 1, WINDOW + HALF + 1, 50])
def test_the_snapshots_are_the_states_some_events_ago(count: int, cut: int) -> None:
    events = made([START_MS + n * 60_000 for n in range(count)])
    updater, store = toy_updater(WINDOW), MemoryStore()
    for start in range(0, count, cut):
        part = [("u/a", e) for e in events[start : start + cut]]
        updater.process([batch(0, start, part)], store)
    slab = updater.slab
    row = slab.find("u/a")
    assert row is not None

    def state_after(seen: int) -> bytes:
        if seen == 0:
            return bytes(2 * S)
        right = ReferenceUser(WINDOW, HORIZON, events[:seen])
        return right.state(ToyModel(), toy_catalogue()).tobytes()

    since_base, since_mid = (int(slab.rows[n][row]) for n in ("since_base", "since_mid"))
    assert slab.rows["current"][row].tobytes() == state_after(count)
    assert slab.rows["base"][row].tobytes() == state_after(count - since_base)
    if since_base == since_mid:
        assert count <= HALF
    else:
        assert since_base == since_mid + HALF
        assert slab.rows["middle"][row].tobytes() == state_after(count - since_mid)
    assert since_base <= min(count, WINDOW)
    assert since_base > min(count - 1, HALF)
    assert slab.rows["form"][row] - FORM == min(2, (count - 1) // HALF)
    if count > since_base:
        assert slab.rows["base_ms"][row] == events[count - since_base - 1].time_ms


moves = st.one_of(
    st.integers(0, DAY_MS), st.just(0), st.integers(HORIZON - 1, HORIZON + 1), st.just(3 * HORIZON)
)


@settings(max_examples=80)
@given(st.lists(moves, min_size=1, max_size=60), st.lists(st.integers(1, 20), min_size=1))
def test_the_ring_holds_what_came_since_the_last_reset(gaps: list[int], cuts: list[int]) -> None:
    times = (START_MS + np.cumsum(gaps)).tolist()
    events = made(times)
    updater, store = toy_updater(WINDOW), MemoryStore()
    start, turn = 0, 0
    while start < len(events):
        part = [("u/a", e) for e in events[start : start + cuts[turn % len(cuts)]]]
        updater.process([batch(0, start, part)], store)
        start, turn = start + len(part), turn + 1
    slab = updater.slab
    row = slab.find("u/a")
    assert row is not None
    resets = [n for n in range(1, len(times)) if times[n] - times[n - 1] > HORIZON]
    run = times[resets[-1] if resets else 0 :]
    entries = ring_entries(slab.layout, slab.rows[row])
    found = entry_times(entries, times[-1]).tolist()
    expected = run[-WINDOW:]
    assert found == expected[len(expected) - len(found) :]
    gone = expected[: len(expected) - len(found)]
    assert all(t < times[-1] - HORIZON for t in gone)
    assert len(found) >= slab.rows["since_base"][row]
    free = np.setdiff1d(
        np.arange(WINDOW), (int(slab.rows["head"][row]) + np.arange(len(found))) % WINDOW
    )
    assert not slab.rows["ring"]["event"][row, free].any()  # a free slot is nobody's repeat
    if len(run) <= HALF and resets:
        before = ReferenceUser(WINDOW, HORIZON, events[: resets[-1]])
        right = before.state(ToyModel(), toy_catalogue())
        assert slab.rows["base"][row].tobytes() == right.tobytes()
        assert slab.rows["base_ms"][row] == times[resets[-1] - 1]
