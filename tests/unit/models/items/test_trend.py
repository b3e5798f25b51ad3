"""Counts of recent events, against counting them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.table import EventTable, TableBuilder
from models.items.trend import ALL_TIME, DAY_MS, Trend, trend_of, windows
from models.protocols import abxi
from tests.people import people_table

DAYS = (1.0, 3.0)


def table_of(events: list[tuple[int, int]]) -> EventTable:
    """Events (item, time) of one user each on a platform of four items."""
    builder = TableBuilder()
    for item in range(4):
        builder.add_item("shop", f"i{item}")
    for at, (item, hours) in enumerate(events):
        builder.add_event(f"u{at}", "shop", 1, f"i{item}", hours * 3_600_000)
    return builder.build()


def slowly(events: list[tuple[int, int]], now_ms: int) -> np.ndarray:
    made = np.zeros((4, len(DAYS)))
    for item, hours in events:
        for window, days in enumerate(DAYS):
            made[item, window] += now_ms - days * DAY_MS <= hours * 3_600_000 < now_ms
    return np.log1p(made)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 200)), min_size=1, max_size=30),
    st.lists(st.integers(-10, 300), min_size=1, max_size=12),
)
def test_it_counts_what_came_strictly_before(
    events: list[tuple[int, int]], hours: list[int]
) -> None:
    table = table_of(events)
    trend = Trend(table, np.ones(len(table), bool), DAYS)
    now_ms = np.array(hours, np.int64) * 3_600_000
    items = np.array([3, 0, 0, 2])
    own, rows = trend.at(0, now_ms, np.arange(len(hours)) % 4, items)
    scores = np.zeros((len(hours), 4), np.float32)
    weights = np.arange(len(hours) * 2, dtype=np.float32).reshape(-1, 2)
    trend.add_to(scores, 0, now_ms, weights)
    for at, now in enumerate(now_ms.tolist()):
        expected = slowly(events, now)
        np.testing.assert_allclose(rows[at], expected[items].T, rtol=1e-6)
        np.testing.assert_allclose(own[at], expected[at % 4], rtol=1e-6)
        np.testing.assert_allclose(trend.columns(0, now), expected, rtol=1e-6)
        np.testing.assert_allclose(scores[at], expected @ weights[at], rtol=1e-5)


def test_events_of_validation_and_test_do_not_count() -> None:
    split = abxi(people_table(), 0)
    trend = trend_of(split, (1e4,))
    last = int(split.table.time_ms.max()) + 1
    counted = sum(np.expm1(trend.columns(p, last)).sum() for p in range(2))
    assert counted == pytest.approx(split.train.sum())


def timeless() -> EventTable:
    table = people_table()
    table.time_ms[:] = 0
    return table


def test_without_times_all_training_events_count_whenever_it_is() -> None:
    split = abxi(timeless(), 0)
    days = windows(split.table, DAYS)
    assert days == (ALL_TIME,)
    trend = trend_of(split, days)
    for platform, size in enumerate(map(len, split.table.items)):
        items = split.training.item[split.training.platform == platform]
        expected = np.log1p(np.bincount(items, minlength=size))
        np.testing.assert_allclose(trend.columns(platform, 0)[:, 0], expected, rtol=1e-6)
        scores = np.zeros((2, size), np.float32)
        trend.add_to(scores, platform, np.zeros(2, np.int64), np.array([[1.0], [2.0]], np.float32))
        np.testing.assert_allclose(scores, [expected, 2 * expected], rtol=1e-6)


def test_without_times_the_predicted_event_itself_does_not_count() -> None:
    table = timeless()
    trend = Trend(table, np.ones(len(table), bool), (ALL_TIME,))
    here = table.platform == 0
    item = table.item[here].astype(np.int64)
    own, others = trend.at(0, table.time_ms[here], item, np.arange(len(table.items[0])))
    counts = np.bincount(item, minlength=len(table.items[0]))
    np.testing.assert_allclose(np.expm1(own[:, 0]), counts[item] - 1, atol=1e-4)
    np.testing.assert_allclose(np.expm1(others[0, 0]), counts, rtol=1e-5)


def test_without_times_days_mean_nothing() -> None:
    assert trend_of(abxi(timeless(), 0), DAYS).days == ()
    assert windows(timeless(), ()) == ()
    assert windows(people_table(), DAYS) == DAYS
