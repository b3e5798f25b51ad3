import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.contract import ACTIONS
from models.data.sequences import (
    Sequences,
    cut,
    next_events,
    several,
    unordered,
)
from models.data.table import EventTable, ItemList
from models.objectives.cold import cold_views

Row = tuple[int, int, int, int]  # user, platform, item, seconds


def table_of(rows: list[Row], platforms: int = 2, items: int = 5) -> EventTable:
    rows = sorted(rows, key=lambda row: (row[0], row[3]))
    columns = np.array(rows, np.int64).reshape(-1, 4)
    names = [str(item) for item in range(items)]
    users = int(columns[:, 0].max(initial=0)) + 1
    return EventTable(
        users=[str(user) for user in range(users)],
        platforms=tuple(f"p{p}" for p in range(platforms)),
        items=tuple(ItemList(names, [""] * items, [""] * items) for _ in range(platforms)),
        user=columns[:, 0].astype(np.int32),
        platform=columns[:, 1].astype(np.int16),
        action=np.full(len(rows), ACTIONS.index("click"), np.int8),
        item=columns[:, 2].astype(np.int32),
        time_ms=columns[:, 3] * 1000,
    )


def events() -> st.SearchStrategy[list[Row]]:
    one = st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 4), st.integers(0, 10_000))
    return st.lists(one, min_size=1, max_size=60)


@given(events())
def test_next_events_are_those_that_a_search_finds(rows: list[Row]) -> None:
    table = table_of(rows)
    following = next_events(table)
    for row in range(len(table)):
        for p in range(2):
            found = next(
                (
                    later
                    for later in range(row + 1, len(table))
                    if table.user[later] == table.user[row]
                    and table.platform[later] == p
                    and table.global_item[later] != table.global_item[row]
                ),
                None,
            )
            assert following[row, p] == (-1 if found is None else found)


@given(st.lists(st.integers(0, 30), max_size=6), st.integers(1, 9))
def test_cuts_cover_each_event_once_and_keep_users_apart(counts: list[int], length: int) -> None:
    starts, user = np.cumsum([0, *counts]), np.repeat(np.arange(len(counts)), counts)
    covered: list[int] = []
    for start, stop in cut(starts, length):
        assert 0 < stop - start <= length
        assert len(set(user[start:stop].tolist())) == 1
        covered.extend(range(start, stop))
    assert sorted(covered) == list(range(starts[-1]))


@settings(max_examples=50)
@given(events(), st.integers(0, 5))
def test_a_pass_shows_every_event_once_and_a_cold_view_hides_a_platform(
    rows: list[Row], seed: int
) -> None:
    table = table_of(rows)
    sequences = Sequences.of(table, 8)
    whole = list(sequences.batches(3, np.random.default_rng(seed)))
    assert sum(int((batch.item >= 0).sum()) for batch in whole) == len(table)
    rng = np.random.default_rng(seed)
    for batch in sequences.batches(3, rng, cold_views(sequences.mixed, 1.0, rng)):
        for row in np.flatnonzero(batch.cold):
            shown = set(batch.platform[row][batch.item[row] >= 0].tolist())
            wanted = {p for p in range(2) if (batch.target[row, :, p] >= 0).any()}
            assert not shown & wanted
            assert len(shown) == 1


def test_gaps_are_between_the_events_of_the_view() -> None:
    table = table_of([(0, 0, 1, 10), (0, 1, 1, 20), (0, 0, 2, 50)])
    (batch,) = Sequences.of(table, 8).batches(4, np.random.default_rng(0))
    assert batch.dt.tolist() == [[0.0, 10.0, 30.0]]
    assert batch.item.tolist() == [[1, 6, 2]]


def test_targets_are_the_next_events_items_and_times() -> None:
    table = table_of([(0, 0, 1, 10), (0, 1, 1, 20), (0, 0, 2, 50)])
    (batch,) = Sequences.of(table, 8).batches(4, np.random.default_rng(0))
    assert batch.target.tolist() == [[[2, 6], [2, -1], [-1, -1]]]
    assert batch.gap[0, 0].tolist() == [2, 1]


@given(events(), st.integers(1, 9))
def test_several_platforms_are_seen(rows: list[Row], length: int) -> None:
    table = table_of(rows)
    bounds = cut(table.user_starts, length)
    found = several(table.platform, bounds)
    assert found.tolist() == [len(set(table.platform[a:b].tolist())) > 1 for a, b in bounds]


def test_few_people_on_both_platforms_come_again_as_cold_views() -> None:
    rows = [(user, 0, user % 5, at) for user in range(80) for at in range(4)]
    rows += [(user, 1, user % 5, 9) for user in range(8)]
    sequences = Sequences.of(table_of(rows), 16)
    cold = whole = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for batch in sequences.batches(16, rng, cold_views(sequences.mixed, 0.2, rng)):
            cold += int(batch.cold.sum())
            whole += int((~batch.cold).sum())
    assert 0.18 < cold / (20 * 80) < 0.22
    assert 20 * 72 < whole < 20 * 80


def test_events_without_times_are_shuffled_inside_a_user_only() -> None:
    table = table_of([(user, at % 2, at % 5, 0) for user in range(6) for at in range(12)])
    other = unordered(table, np.random.default_rng(0))
    assert np.array_equal(table.user, other.user)
    assert not np.array_equal(table.global_item, other.global_item)
    for user in range(6):
        mine = table.user == user
        assert sorted(table.global_item[mine]) == sorted(other.global_item[mine])
