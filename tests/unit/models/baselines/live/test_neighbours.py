"""Live baselines against the plainest way of counting, and blind to what comes later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.baselines import LIVE_METHODS, Method
from models.baselines.live.neighbours import DAY_MS, SHRINK, LiveItemKnn, LiveUserKnn, Votes
from models.baselines.live.popularity import LivePopularity
from models.data.table import EventTable, TableBuilder
from models.protocols import stream
from models.protocols.cases import Cases, Split

START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS
PLATFORMS = ("film", "book")


def random_table(seed: int, events: int = 240) -> EventTable:
    """People who take items of two platforms at random times over 60 days."""
    rng = np.random.default_rng(seed)
    builder = TableBuilder()
    for platform in PLATFORMS:
        for item in range(8):
            builder.add_item(platform, f"{platform} {item}", f"the {item} of {platform}")
    for _ in range(events):
        platform = PLATFORMS[int(rng.integers(2))]
        time_ms = START_MS + int(rng.integers(60 * DAY_MS))
        taken = f"{platform} {rng.integers(8)}"
        builder.add_event(f"user {rng.integers(12)}", platform, 2, taken, time_ms)
    return builder.build()


def one_target(split: Split, target: int) -> Cases:
    return split.test.select(split.targets(split.test) == target)


@pytest.mark.parametrize("seed", range(3))
def test_popularity_is_a_decayed_count_of_what_came_before(seed: int) -> None:
    split = stream(random_table(seed))
    method, table = LivePopularity(half_lives=[5.0]), split.table
    method.fit(split, 0)
    cases = one_target(split, 0)
    got = method.scores(cases, 0)
    for case, row in enumerate(cases.row.tolist()):
        before = (table.time_ms < table.time_ms[row]) & (table.platform == 0)
        age = (table.time_ms[row] - table.time_ms[before]) / DAY_MS
        expected = np.bincount(table.item[before], 0.5 ** (age / 5.0), 8)
        np.testing.assert_allclose(got[case], expected, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_vote_with_what_they_took_before_the_day(seed: int) -> None:
    split = stream(random_table(seed))
    method, table = LiveUserKnn([Votes(7.0, 0.25)], decay=0.5), split.table
    method.fit(split, 0)
    cases = one_target(split, 1)
    got, length = method.scores(cases, 1), method._periods._length
    for case, row in enumerate(cases.row.tolist()):
        now = int(table.time_ms[row]) // length * length
        counted = np.flatnonzero(table.time_ms < now)
        by_item = np.bincount(table.global_item[counted], minlength=16)
        history = table.global_item[cases.start[case] : cases.end[case]].tolist()
        weight = {item: 0.5 ** (len(history) - 1 - at) for at, item in enumerate(history)}
        expected = np.zeros(8)
        for user in set(range(len(table.users))) - {int(table.user[row])}:
            rows = counted[table.user[counted] == user]
            similar = (
                sum(
                    weight.get(int(item), 0.0) * (by_item[item] + SHRINK) ** -0.25
                    for item in table.global_item[rows]
                )
                * (len(rows) + SHRINK) ** -0.5
            )
            for voted in rows[table.platform[rows] == 1]:
                age = (now - table.time_ms[voted]) / DAY_MS
                expected[table.item[voted]] += similar * np.exp(-age / 7.0)
        np.testing.assert_allclose(got[case], expected, rtol=1e-3, atol=1e-6)


def test_items_are_near_where_the_same_people_took_both() -> None:
    builder = TableBuilder()
    for at, (user, item) in enumerate(
        [("bob", "a"), ("bob", "b"), ("cat", "a"), ("cat", "b"), ("dan", "c"), ("ann", "a")]
    ):
        builder.add_event(user, "film", 2, item, START_MS + at * DAY_MS)
    for day in range(20, 30):
        builder.add_event("ann", "film", 2, f"later {day}", START_MS + day * DAY_MS)
    split = stream(builder.build())
    method = LiveItemKnn(decay=1.0)
    method.fit(split, 0)
    scores = method.scores(split.test.select(slice(0, 1)), 0)[0]
    names = split.table.items[0].ids
    score = {name: float(scores[at]) for at, name in enumerate(names)}
    assert score["b"] > score["c"] == 0


@pytest.mark.parametrize("make", LIVE_METHODS.values(), ids=LIVE_METHODS)
def test_what_comes_later_changes_nothing(make: Callable[[], Method]) -> None:
    """Events after a case are other events: its scores stay what they are."""
    table = random_table(5)
    split = stream(table)
    cases = one_target(split, 0)
    cases = cases.select(slice(0, len(cases) // 2))
    last = table.time_ms[cases.row].max()
    rng = np.random.default_rng(1)
    changed = table.item.copy()
    later = np.flatnonzero(table.time_ms > last)
    changed[later] = rng.integers(0, 8, len(later))
    other = replace(table, item=changed)
    both = []
    for one in (split, replace(split, table=other)):
        method = make()
        method.fit(one, 0)
        both.append(method.scores(cases, 0))
    np.testing.assert_array_equal(both[0], both[1])
