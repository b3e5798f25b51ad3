"""Source marks: each record of each source counts once, however it's repeated."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import StateError
from streams.log.records import Via
from streams.update.source_marks import PREFIX, Marks

SOURCES = [("video.click", 0), ("video.click", 1), ("shop.purchase", 0), ("interest.events", 3)]


@given(
    st.lists(
        st.tuples(st.sampled_from(SOURCES), st.integers(1, 6), st.integers(0, 8)), max_size=40
    ),
    st.lists(st.integers(1, 3), min_size=60, max_size=60),
    st.sets(st.integers(0, 39)),
)
def test_any_interleaving_with_repeats_gives_each_record_once(
    turns: list[tuple[tuple[str, int], int, int]], places: list[int], restarts: set[int]
) -> None:
    """A turn: a source's writer goes back by some records, then writes some."""
    streams: dict[tuple[str, int], list[Via]] = {}
    for topic, partition in SOURCES:
        streams[topic, partition] = [
            Via(topic, partition, offset, sub)
            for offset, subs in enumerate(places)
            for sub in range(subs)
        ]
    at = dict.fromkeys(SOURCES, 0)
    furthest = dict.fromkeys(SOURCES, 0)
    marks, table = Marks(5), dict[str, bytes]()
    accepted: list[Via] = []
    for turn, (source, count, back) in enumerate(turns):
        at[source] = max(0, at[source] - back)
        written = streams[source][at[source] : at[source] + count]
        accepted += [via for via in written if marks.advance(via)]
        at[source] += count
        furthest[source] = max(furthest[source], at[source])
        table |= dict(marks.take_changes())
        if turn in restarts:
            marks = Marks(5)
            marks.restore((marks.key(t), table.get(marks.key(t))) for t, _ in SOURCES)
    for source in SOURCES:
        mine = [via for via in accepted if (via.topic, via.partition) == source]
        assert mine == streams[source][: furthest[source]]


def test_only_topics_that_moved_are_written() -> None:
    marks = Marks(0)
    assert marks.take_changes() == []
    marks.advance(Via("a", 0, 4))
    marks.advance(Via("b", 0, 4))
    assert [key for key, _ in marks.take_changes()] == [marks.key("a"), marks.key("b")]
    assert marks.take_changes() == []
    marks.advance(Via("b", 0, 4))  # a repeat moves nothing
    assert marks.take_changes() == []
    marks.advance(Via("b", 1, 0))
    assert [key for key, _ in marks.take_changes()] == [marks.key("b")]


def test_partitions_of_the_log_keep_their_marks_apart_from_each_other_and_from_users() -> None:
    keys = {Marks(partition).key(topic) for partition in (0, 1, 10) for topic in ("0/t", "t", "1")}
    assert len(keys) == 9
    assert all(key.startswith(PREFIX) for key in keys)


@given(st.binary(max_size=20))
def test_damaged_marks_are_a_state_error(value: bytes) -> None:
    marks = Marks(0)
    with suppress(StateError):
        marks.restore([(marks.key("a"), value)])


def test_marks_that_cannot_be_read_say_which_and_what_to_do() -> None:
    marks = Marks(3)
    with pytest.raises(StateError, match=r"3/video\.click.*delete the local store"):
        marks.restore([(marks.key("video.click"), b"\xc1")])


def test_a_later_entry_of_the_same_record_is_new() -> None:
    marks = Marks(0)
    assert [marks.advance(Via("a", 0, 7, sub)) for sub in (0, 1, 1, 0, 2)] == [
        True, True, False, False, True,
    ]  # fmt: skip
