from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.data.table import TableBuilder
from streams.demo.replay_order import rounds_of

EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["food", "kitchen"]), st.integers(0, 1),
        st.integers(0, 5),
    ),
    max_size=40,
)  # fmt: skip


@given(EVENTS, st.randoms())
def test_laps_keep_each_users_order_and_one_topic_a_user(
    events: list[tuple[str, str, int, int]], random: Random
) -> None:
    builder = TableBuilder()
    for user, platform, action, time in events:
        builder.add_event(user, platform, action, "x", time)
    table = builder.build()
    rows = np.array([r for r in range(len(table)) if random.random() < 0.8], np.int64)
    cut = rounds_of(table, rows)
    assert sorted(np.concatenate([*cut, []]).tolist()) == rows.tolist()
    for lap in cut:
        times = table.time_ms[lap].tolist()
        assert times == sorted(times)
        for person in range(len(table.users)):
            mine = lap[table.user[lap] == person]
            assert len(set(zip(table.platform[mine], table.action[mine], strict=True))) <= 1
    for person in range(len(table.users)):
        sent = [row for lap in cut for row in lap.tolist() if table.user[row] == person]
        assert sent == sorted(sent)


def test_one_topic_is_one_lap_and_a_change_of_topic_a_new_one() -> None:
    builder = TableBuilder()
    for time, platform in enumerate(["food", "food", "kitchen", "food"]):
        builder.add_event("a", platform, 0, "x", time)
    builder.add_event("b", "kitchen", 0, "x", 0)
    table = builder.build()
    assert [lap.tolist() for lap in rounds_of(table, np.arange(5))] == [[0, 4, 1], [2], [3]]
    assert rounds_of(table, np.arange(0)) == []
