"""The window's boundaries: exactly the horizon, exactly the base, ties, duplicates."""

from __future__ import annotations

import pytest

from streams.effects.effects import Effects
from streams.log.records import Event
from streams.update.updater import Updater
from streams.windows.late_events import History, admit
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
    toy_catalogue,
    toy_updater,
)

WINDOW = 8
HORIZON = 30 * DAY_MS


class Line:
    """One user's log, applied one event at a time through the store, beside the reference."""

    def __init__(self) -> None:
        self.updater: Updater = toy_updater(WINDOW)
        self.store = MemoryStore()
        self.reference = ReferenceUser(WINDOW, HORIZON)
        self.count = 0

    def add(self, time_ms: int, *, item: str = "i0", identity: int | None = None) -> str:
        """Apply an event, check all against the reference; what became of it."""
        new = event(time_ms, offset=self.count, item=item, identity=identity)
        effects = self.apply(new)
        kept_out = [reason for reason, n in effects.counts.skipped.items() if n]
        result = kept_out[0] if kept_out else "applied"
        assert result == self.reference.arrive(new)
        self.check()
        return result

    def apply(self, new: Event) -> Effects:
        effects = self.updater.process([batch(0, self.count, [("u/a", new)])], self.store)
        self.store.write(effects)
        self.updater.release()
        self.count += 1
        return effects

    def row(self) -> int:
        slab = self.updater.slab
        return slab.find("u/a") or slab.insert("u/a", 0, self.store.values[0, "u/a"])

    def check(self) -> None:
        row, slab = self.row(), self.updater.slab
        right = self.reference.state(ToyModel(), toy_catalogue())
        assert slab.rows["current"][row].tobytes() == right.tobytes()
        assert events_behind(slab, row) == len(self.reference.accepted)
        self.updater.release()

    def times(self) -> list[int]:
        row, slab = self.row(), self.updater.slab
        entries = ring_entries(slab.layout, slab.rows[row])
        found: list[int] = entry_times(entries, int(slab.newest_ms[row])).tolist()
        self.updater.release()
        return found


@pytest.mark.parametrize(("older_by", "result"), [(0, "applied"), (1, "late")])
def test_exactly_the_horizon_old_is_in_and_a_millisecond_more_is_not(
    older_by: int, result: str
) -> None:
    line = Line()
    line.add(START_MS)
    assert line.add(START_MS - HORIZON - older_by, item="i1") == result


@pytest.mark.parametrize(("more", "kept"), [(0, 2), (1, 1)])
def test_exactly_the_horizon_ahead_continues_and_a_millisecond_more_resets(
    more: int, kept: int
) -> None:
    line = Line()
    line.add(START_MS)
    assert line.add(START_MS + HORIZON + more) == "applied"
    assert len(line.times()) == kept
    # What lies between the two is inside the horizon of the newest, and is counted.
    assert line.add(START_MS + HORIZON // 2, item="i1") == "applied"
    assert len(line.times()) == kept + 1


@pytest.mark.parametrize(("older_by", "result"), [(0, "applied"), (1, "late")])
def test_at_the_time_of_the_base_is_in_and_a_millisecond_before_it_is_not(
    older_by: int, result: str
) -> None:
    line = Line()
    for n in range(WINDOW + 1):  # the base has moved to the (W/2)th event
        line.add(START_MS + 1000 * n)
    base_ms = START_MS + 1000 * (WINDOW // 2 - 1)
    assert line.add(base_ms - older_by, item="i1") == result


def test_ties_keep_the_order_of_arrival() -> None:
    line = Line()
    for n in range(3 * WINDOW):
        assert line.add(START_MS + n // 3, item=f"i{n % 20}") == "applied"
    assert line.add(START_MS + WINDOW - 1, item="i7") == "applied"


def test_late_events_of_one_time_keep_the_order_of_arrival() -> None:
    line = Line()
    line.add(START_MS)
    line.add(START_MS + 9000)
    for n in range(1, 5):
        assert line.add(START_MS + 5000, item=f"i{n}") == "applied"


def test_after_a_reset_what_was_before_it_is_late() -> None:
    line = Line()
    line.add(START_MS)
    line.add(START_MS + HORIZON + 1)
    assert line.add(START_MS, item="i1") == "late"
    assert line.add(START_MS + 1, item="i2") == "applied"


def test_a_duplicate_counts_once_while_it_is_in_the_window() -> None:
    line = Line()
    assert line.add(START_MS, identity=77) == "applied"
    assert line.add(START_MS + 5, item="i5", identity=77) == "duplicate"
    for n in range(WINDOW):
        line.add(START_MS + 100 + n)
    assert line.add(START_MS + 1000, identity=77) == "applied"


@pytest.mark.parametrize(("more", "result"), [(0, "duplicate"), (1, "applied")])
def test_a_duplicate_is_known_as_far_back_as_the_horizon(more: int, result: str) -> None:
    line = Line()
    line.add(START_MS, identity=77)
    line.add(START_MS + HORIZON + more)
    assert line.add(START_MS + HORIZON + more, identity=77) == result


@pytest.mark.parametrize("identity", [0, 1 << 32, 5 << 32])
def test_an_identity_whose_low_bits_are_zero_is_one_nevertheless(identity: int) -> None:
    # Zero marks a free slot of the ring.
    line = Line()
    assert line.add(START_MS, identity=identity) == "applied"
    effects = line.apply(event(START_MS + 1, offset=1, identity=identity))
    assert effects.counts.skipped["duplicate"] == 1


def test_a_whole_window_of_one_millisecond() -> None:
    line = Line()
    for n in range(3 * WINDOW):
        assert line.add(START_MS, item=f"i{n % 20}") == "applied"
    assert line.add(START_MS - 1) == "late"


def test_admission_alone_says_where_arrivals_go() -> None:
    history = History([10, 20, 30], [1, 2, 3], since_base=2, base_ms=10, newest_ms=30)
    found = admit(history, [25, 9, 40, 20], [4, 5, 6, 2], horizon_ms=100, window=4)
    # Entries 20 and 30 are places 0 and 1, the arrivals 2 to 5.
    assert found.order == [0, 2, 1, 4]
    assert (found.rewind, found.late, found.duplicate) == (True, 1, 1)


def test_admission_in_order_asks_for_no_replay() -> None:
    history = History([10, 20], [1, 2], since_base=2, base_ms=None, newest_ms=20)
    found = admit(history, [20, 30, 30], [3, 4, 4], horizon_ms=100, window=4)
    assert (found.order, found.rewind) == ([2, 3], False)
    assert found.duplicate == 1


def test_platforms_share_one_window() -> None:
    line = Line()
    for n in range(4):
        platform = PLATFORMS[n % 3]
        line.apply(event(START_MS + n, offset=n, platform=platform))
    row, slab = line.row(), line.updater.slab
    assert slab.rows["counts"][row].tolist() == [2, 1, 1]


def test_a_gap_of_decades_keeps_the_times_after_it() -> None:
    updater, store = toy_updater(window=4), MemoryStore()
    decades = 30 * 365 * DAY_MS
    for offset, time_ms in enumerate((START_MS - decades, START_MS, START_MS + 5)):
        record = event(time_ms, offset=offset)
        store.write(updater.process([batch(0, offset, [("u/1", record)])], store))
        updater.release()
    updater.process([batch(0, 3, [("u/1", event(START_MS + 4, offset=3))])], store)
    row = updater.slab.find("u/1")
    assert row is not None
    assert updater.slab.newest_ms[row] == START_MS + 5
    entries = ring_entries(updater.slab.layout, updater.slab.rows[row])
    assert (entry_times(entries, START_MS) - START_MS).tolist() == [0, 4, 5]
