from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contract import ACTIONS
from models.data.table import EventTable, TableBuilder
from streams.demo.producer import TopicNames
from streams.demo.replay import Pace, ReplayError, Speed, count_table, encode_events, topics_of


def table() -> EventTable:
    builder = TableBuilder()
    builder.add_item("food", "f1", "Oolong tea", "Tea")
    builder.add_item("kitchen", "k1", "Teapot")
    builder.add_event("zoë", "kitchen", ACTIONS.index("purchase"), "k1", 3_000)
    builder.add_event("zoë", "food", ACTIONS.index("browse"), "f1", 1_000)
    builder.add_event("ben", "food", ACTIONS.index("browse"), 'f"2', 2_000)
    return builder.build()


def test_events_are_native_json_on_their_platforms_topics_in_order_of_time() -> None:
    events = table()
    sent = list(encode_events(events, events.by_time(), TopicNames.default(), "set"))
    assert [topic for topic, *_ in sent] == ["food.browse", "food.browse", "kitchen.purchase"]
    assert [key.decode() for _, key, *_ in sent] == ["zoë", "ben", "zoë"]
    assert [time for *_, time in sent] == [1_000, 2_000, 3_000]
    assert json.loads(sent[1][2]) == {
        "event_id": "set-2", "user_id": "ben", "action": "browse", "item_id": 'f"2', "time": 2_000,
    }  # fmt: skip


def test_event_ids_are_the_rows_whatever_the_order() -> None:
    events = table()
    names = TopicNames.default()
    ids = [
        {json.loads(record[2])["event_id"] for record in encode_events(events, rows, names, "s")}
        for rows in (events.by_time(), np.arange(3))
    ]
    assert ids[0] == ids[1] == {"s-0", "s-1", "s-2"}


def test_only_topics_that_get_something_are_asked_for() -> None:
    assert topics_of(table(), TopicNames.default()) == {
        "food.browse", "kitchen.purchase", "food.items", "kitchen.items",
    }  # fmt: skip


def test_the_counts_add_up() -> None:
    events = table()
    lines = count_table(events, events.by_time()).splitlines()
    assert [line.split() for line in lines] == [
        ["platform", "action", "events"],
        ["food", "browse", "2"],
        ["kitchen", "purchase", "1"],
        ["total", "3"],
    ]


@pytest.mark.parametrize("text", ["fast", "0", "-3", "0/s", "nan", "inf", ""])
def test_a_speed_that_is_none_is_refused_with_what_would_do(text: str) -> None:
    with pytest.raises(ReplayError, match=r"give max, a factor .* or events a second"):
        Speed.parse(text)


def test_speeds() -> None:
    assert Speed.parse("max").due_s(1000, 5_000) == 0.0
    assert Speed.parse("3600").due_s(1000, 7_200_000) == 2.0
    assert Speed.parse("500/s").due_s(1000, 7_200_000) == 2.0


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=50), st.floats(1.0, 1000.0))
def test_the_pace_is_kept_however_long_sending_takes(work: list[float], rate: float) -> None:
    now = [100.0]
    pace = Pace(
        Speed(per_second=rate),
        clock=lambda: now[0],
        sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
    )
    for number, seconds in enumerate(work):
        pace.wait(number, 0)
        assert now[0] >= 100.0 + number / rate - 1e-6
        now[0] += seconds
    assert now[0] <= 100.0 + len(work) / rate + sum(work) + 1e-6
