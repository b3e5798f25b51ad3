"""The update against a sequential reference, whatever the order, the gaps and the batches."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.log.records import Event
from streams.windows.layout import entry_times, ring_entries
from streams.windows.rewind import events_behind
from tests.unit.streams.toy import (
    DAY_MS,
    PLATFORMS,
    START_MS,
    MemoryStore,
    ReferenceUser,
    ToyModel,
    batch,
    event,
    in_batches,
    toy_catalogue,
    toy_updater,
)

WINDOW = 8
HORIZON = 30 * DAY_MS

# Mostly forwards, sometimes back, sometimes far ahead: every rule of the window is met.
move_ms = st.one_of(
    st.integers(0, 3 * DAY_MS),
    st.integers(0, 3 * DAY_MS),
    st.integers(-5 * DAY_MS, 0),
    st.integers(-40 * DAY_MS, 80 * DAY_MS),
    st.just(0),
)
arrival = st.tuples(
    st.integers(0, 2),
    move_ms,
    st.integers(0, 25),
    st.sampled_from(PLATFORMS),
    st.integers(0, 60),
)


def make_events(arrivals: list[tuple[int, int, int, str, int]]) -> list[tuple[str, Event]]:
    clock: dict[int, int] = {}
    out = []
    for offset, (user, move, item, platform, identity) in enumerate(arrivals):
        now = clock.get(user, START_MS) + move
        clock[user] = max(now, clock.get(user, START_MS))
        # A small identity repeats now and then: a duplicate.
        known = identity + 1 if identity < 4 else 1000 + offset
        new = event(now, offset=offset, item=f"i{item}", platform=platform, identity=known)
        out.append((f"u/{user}", new))
    return out


@settings(max_examples=300)
@given(
    st.lists(arrival, min_size=1, max_size=120),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
    st.booleans(),
)
def test_states_and_windows_equal_the_reference(
    arrivals: list[tuple[int, int, int, str, int]], cuts: list[int], forget: bool
) -> None:
    records = make_events(arrivals)
    updater, store = toy_updater(WINDOW), MemoryStore()
    reference: dict[str, ReferenceUser] = {}
    expected = {"applied": 0, "late": 0, "duplicate": 0}
    for key, new in records:
        user = reference.setdefault(key, ReferenceUser(WINDOW, HORIZON))
        expected[user.arrive(new)] += 1

    counted = {"applied": 0, "late": 0, "duplicate": 0}
    for effects in in_batches(updater, store, records, cuts, forget=forget):
        counted["applied"] += sum(effects.counts.applied.values())
        counted["late"] += effects.counts.skipped["late"]
        counted["duplicate"] += effects.counts.skipped["duplicate"]

    assert counted == expected
    catalogue, model = toy_catalogue(), ToyModel()
    if forget:
        updater.process(
            [batch(0, len(records), [(k, event(0, offset=0)) for k in reference])], store
        )
    for key, user in reference.items():
        row = updater.slab.find(key)
        assert row is not None
        state = updater.slab.rows["current"][row]
        assert state.tobytes() == user.state(model, catalogue).tobytes()
        assert events_behind(updater.slab, row) == len(user.accepted)
        newest = user.accepted[-1].time_ms
        assert updater.slab.newest_ms[row] == newest
        entries = ring_entries(updater.slab.layout, updater.slab.rows[row])
        times = entry_times(entries, newest).tolist()
        known = [e.time_ms for e in user.in_window()]
        # Entries beyond the horizon may have gone, where no rebuild needs them.
        assert times == known[len(known) - len(times) :]
        assert all(t < newest - HORIZON for t in known[: len(known) - len(times)])
