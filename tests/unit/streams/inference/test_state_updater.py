"""What the model is asked: one row for each event in order, with the right seconds between."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.log.records import LogRecord
from streams.update.updater import Updater
from tests.unit.streams.toy import (
    DAY_MS,
    PLATFORMS,
    START_MS,
    MemoryStore,
    ToyModel,
    batch,
    event,
    toy_catalogue,
    toy_updater,
)

WINDOW = 8
HORIZON = 30 * DAY_MS
MINUTE = 60_000


@dataclass
class Spy(ToyModel):
    """The toy model, and what it was asked."""

    dt: list[float] = field(default_factory=list)
    platform: list[int] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    item: list[NDArray[np.float32]] = field(default_factory=list)
    calls: int = 0
    migrations: int = 0

    def step(
        self,
        state: NDArray[np.float16],
        item: NDArray[np.float32],
        platform: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> NDArray[np.float16]:
        assert state.dtype == np.float16
        assert item.dtype == dt.dtype == np.float32
        assert len(state) == len(item) == len(platform) == len(action) == len(dt)
        self.calls += 1
        self.dt += dt.tolist()
        self.platform += platform.tolist()
        self.action += action.tolist()
        self.item += list(item)
        return super().step(state, item, platform, action, dt)

    def migrate(self, state: NDArray[np.float16]) -> NDArray[np.float32]:
        self.migrations += 1
        return super().migrate(state)


def spied(window: int = WINDOW, days: float = 30) -> tuple[Updater, Spy]:
    updater, spy = toy_updater(window, days), Spy()
    updater.model = spy
    return updater, spy


def at(times: list[int], user: str = "u/a") -> list[tuple[str, LogRecord]]:
    return [(user, event(time_ms, offset=n)) for n, time_ms in enumerate(times)]


def run(updater: Updater, times: list[int], size: int = 10**9) -> None:
    records, store = at(times), MemoryStore()
    for start in range(0, len(records), size):
        store.write(updater.process([batch(0, start, records[start : start + size])], store))


@pytest.mark.parametrize("history", [10, 100, 10_000])
@pytest.mark.parametrize("size", [1, 97, 10**9])
def test_an_event_in_order_is_one_model_row_at_any_length_of_history(
    history: int, size: int
) -> None:
    if size == 1 and history > 100:
        size = 11
    updater, spy = spied()
    run(updater, [START_MS + n * MINUTE for n in range(history)], size)
    assert len(spy.dt) == history


@pytest.mark.parametrize("gap_days", [31, 400])
def test_neither_resets_nor_snapshots_cost_a_model_row(gap_days: int) -> None:
    updater, spy = spied()
    times = [START_MS + n * gap_days * DAY_MS for n in range(3 * WINDOW)]
    run(updater, times, 5)
    assert len(spy.dt) == len(times)


def test_seconds_since_the_previous_event_and_none_before_the_first() -> None:
    updater, spy = spied()
    run(updater, [START_MS, START_MS + 1_500, START_MS + 1_500, START_MS + DAY_MS], 2)
    assert spy.dt == [0.0, 1.5, 0.0, np.float32((DAY_MS - 1_500) / 1000)]


def test_a_gap_beyond_the_horizon_is_told_to_the_model() -> None:
    updater, spy = spied()
    run(updater, [START_MS, START_MS + 2 * HORIZON])
    assert spy.dt == [0.0, 2 * HORIZON / 1000]


def test_a_late_event_replays_at_most_a_window_with_the_right_seconds() -> None:
    updater, spy = spied()
    times = [START_MS + n * MINUTE for n in range(50)]
    run(updater, times)
    before = len(spy.dt)
    late = [("u/a", event(times[-1] - MINUTE // 2, offset=50))]
    updater.process([batch(0, 50, late)], MemoryStore())
    asked = spy.dt[before:]
    assert WINDOW // 2 < len(asked) <= WINDOW + 1
    assert asked == [60.0] * (len(asked) - 2) + [30.0, 30.0]


def test_a_late_event_before_the_first_becomes_the_first() -> None:
    updater, spy = spied()
    run(updater, [START_MS, START_MS - MINUTE], 1)
    assert spy.dt == [0.0, 0.0, 60.0]


def test_what_the_model_is_told_of_an_event() -> None:
    updater, spy = spied()
    made = [
        event(START_MS + n, offset=n, item=item, platform=platform, action=action)
        for n, (item, platform, action) in enumerate(
            [("i3", "shop", "refund"), ("i0", "news", "browse"), ("no-such", "video", "cart")]
        )
    ]
    updater.process([batch(0, 0, [("u/a", e) for e in made])], MemoryStore())
    assert spy.platform == [PLATFORMS.index(e.platform) for e in made]
    assert spy.action == [ACTIONS.index(e.action) for e in made]
    items = toy_catalogue().items
    rows = [(1, 3), (2, 0), (0, items[0].unknown_index)]
    wanted = [items[p].gather(np.array([row]))[0] for p, row in rows]
    np.testing.assert_array_equal(np.stack(spy.item), np.stack(wanted))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_users_of_a_batch_share_calls_and_each_keeps_its_order(users: list[int]) -> None:
    updater, spy = spied()
    records: list[tuple[str, LogRecord]] = [
        (f"u/{user}", event(START_MS + 1000 * n, offset=n)) for n, user in enumerate(users)
    ]
    effects = updater.process([batch(0, 0, records)], MemoryStore())
    busiest = max(users.count(user) for user in users)
    assert spy.calls == busiest == len(effects.steps.sizes)
    assert sum(effects.steps.sizes) == len(users) == len(spy.dt)
    assert effects.steps.sizes == sorted(effects.steps.sizes, reverse=True)
    assert len(effects.steps.seconds) == busiest
    assert spy.migrations == 1
    assert effects.migrations.sizes == [len(set(users))]


def test_partitions_of_a_fetch_share_their_calls() -> None:
    updater, spy = spied()
    fetched = [
        batch(partition, 0, [(f"u/{partition}", event(START_MS, offset=partition))])
        for partition in range(4)
    ]
    updater.process(fetched, MemoryStore())
    assert (spy.calls, spy.migrations) == (1, 1)


def test_a_repeat_costs_no_model_row_and_a_kept_out_event_neither() -> None:
    updater, spy = spied()
    run(updater, [START_MS + n * DAY_MS for n in range(40)])
    asked = len(spy.dt)
    old = event(START_MS, offset=40)
    twin = event(START_MS + 39 * DAY_MS, offset=41, identity=40)
    effects = updater.process([batch(0, 40, [("u/a", old), ("u/a", twin)])], MemoryStore())
    assert len(spy.dt) == asked
    assert effects.counts.skipped == {"late": 1, "duplicate": 1}
    assert effects.vectors is None
    assert [key for key, _ in effects.changelog[0] if key.startswith("u/")] == []


def test_another_bundle_rebuilds_the_state_from_the_window_alone() -> None:
    old, store = toy_updater(WINDOW, bundle=7), MemoryStore()
    times = [START_MS + n * MINUTE for n in range(30)]
    store.write(old.process([batch(0, 0, at(times))], store))
    new, spy = toy_updater(WINDOW, bundle=8), Spy()
    new.model = spy
    effects = new.process([batch(0, 30, [("u/a", event(times[-1] + MINUTE, offset=30))])], store)
    assert spy.dt == [0.0] + [60.0] * WINDOW
    assert effects.counts.applied.total() == 1
    row = new.slab.find("u/a")
    assert row is not None
    assert new.slab.rows["counts"][row].sum() == 31
    again = toy_updater(WINDOW, bundle=8)
    again.process([batch(0, 0, at([*times, times[-1] + MINUTE])[-WINDOW - 1 :])], MemoryStore())
    fresh = again.slab.find("u/a")
    assert fresh is not None
    assert new.slab.rows["current"][row].tobytes() == again.slab.rows["current"][fresh].tobytes()
