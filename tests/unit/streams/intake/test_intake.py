"""Intake as a whole: never an exception, each record exactly once, any partitioner."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake.dead_letters.dead_letter import decode as decode_letter
from streams.intake.dead_letters.dead_letter import encode as encode_letter
from streams.intake.intake import Intake
from streams.intake.reasons import IGNORED, REJECTED
from streams.log import codec
from streams.log.partition import partition_of, partitions_of
from streams.log.records import Event
from streams.settings import Settings, parse_settings
from tests.unit.streams.intake.conftest import NOW_MS, make_batch

TOPICS = ("video.click", "shop.browse", "news.all", "shop.links")
PLATFORMS = [
    {"name": "video"},
    {"name": "shop", "ids": "linked"},
    {"name": "news", "topics": {"any": "news.all"}},
]
INTAKE = Intake(parse_settings({"platforms": PLATFORMS}))

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", " ", "click", "purchase", "2026-01-31T12:00:00Z", NOW_MS, 1e12, 10**30])
)
_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_fields = st.sampled_from(
    ["event_id", "user_id", "local_id", "action", "item_id", "items", "time", "other"]
)
_BASE = {"user_id": "ann", "action": "click", "item_id": "i1", "time": NOW_MS}


def _event(changes: dict[str, Any], whole: bool) -> bytes:
    return json.dumps({**_BASE, **changes} if whole else changes).encode()


_objects = st.builds(_event, st.dictionaries(_fields, _json, max_size=3), st.booleans())
_values = (
    st.none() | st.binary(max_size=40) | _json.map(lambda v: json.dumps(v).encode()) | _objects
)
_keys = st.none() | st.binary(max_size=8) | st.sampled_from([b"ann", b"c7"])


@settings(deadline=None)
@given(
    topic=st.sampled_from(TOPICS),
    records=st.lists(st.tuples(_keys, _values), max_size=8),
    stamp=st.sampled_from([-1, 0, NOW_MS, NOW_MS + 10**9]),
)
def test_every_record_is_accounted_for_exactly_once(
    topic: str, records: list[tuple[bytes | None, bytes | None]], stamp: int
) -> None:
    batch = make_batch(topic, [value for _, value in records], [k for k, _ in records], stamp=stamp)
    result = INTAKE.process(batch, NOW_MS)

    applied = {codec.decode(value).via.offset for _, value, _ in result.records}
    dead = {letter.offset for letter in result.dead}
    empty = {
        offset
        for offset, value in zip(batch.offsets, batch.values, strict=True)
        if not value and topic != "shop.links"
    }
    assert applied | dead | empty == set(batch.offsets)
    assert len(applied) + len(dead) + len(empty) == len(records)
    assert result.seen == len(records) == result.accepted + len(result.dead) + len(empty)
    assert (len(applied), len(empty)) == (result.accepted, result.ignored.total())
    assert len(result.dead) == len(dead)
    assert result.events.total() == (0 if topic == "shop.links" else len(result.records))
    for letter in result.dead:
        assert letter.reason in REJECTED
        assert letter.remedy
        assert decode_letter(encode_letter(letter)) == letter
    assert {reason for _, reason in result.ignored} <= set(IGNORED)


@given(st.lists(_objects, min_size=1, max_size=8), st.integers(0, 8))
def test_how_records_are_cut_into_batches_changes_nothing(values: list[bytes], cut: int) -> None:
    whole = INTAKE.process(make_batch("video.click", values), NOW_MS)
    left = INTAKE.process(make_batch("video.click", values[:cut]), NOW_MS)
    right = INTAKE.process(make_batch("video.click", values[cut:], first=100 + cut), NOW_MS)
    assert whole.records == left.records + right.records
    assert whole.dead == left.dead + right.dead


def java(key: bytes, partitions: int) -> int:
    return partition_of(key, partitions)


def librdkafka(key: bytes, partitions: int) -> int:
    """Its default partitioner, consistent_random, for records with a key."""
    return zlib.crc32(key) % partitions


Partitioner = Callable[[bytes, int], int]


def log_by_partition(choose: Partitioner, count: int) -> dict[int, dict[bytes, list[Any]]]:
    """What a producer's events become: partition of the log -> key -> events in order."""
    sent: dict[int, list[tuple[bytes, dict[str, Any]]]] = defaultdict(list)
    for n in range(200):
        user = f"user-{n % 17}"
        event = {"user_id": user, "item_id": f"i{n}", "time": NOW_MS - 1000 + n}
        sent[choose(user.encode(), count)].append((user.encode(), event))
    found: dict[int, dict[bytes, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for partition, records in sent.items():
        values, keys = [value for _, value in records], [key for key, _ in records]
        batch = make_batch("video.click", values, keys, partition=partition, first=0)
        result = INTAKE.process(batch, NOW_MS)
        for (key, value, _), target in zip(
            result.records, partitions_of([key for key, _, _ in result.records], 8), strict=True
        ):
            event_of = codec.decode(value)
            assert isinstance(event_of, Event)
            found[target][key].append((event_of.item, event_of.time_ms, event_of.event_hash))
    return found


@pytest.mark.parametrize("count", [1, 4, 7])
def test_the_producers_partitioner_changes_nothing(count: int) -> None:
    expected = log_by_partition(java, 8)
    assert log_by_partition(librdkafka, count) == expected
    assert log_by_partition(java, count) == expected
    assert sum(len(events) for keys in expected.values() for events in keys.values()) == 200


def test_a_topic_of_nobody_is_a_mistake_of_the_caller(settings: Settings) -> None:
    with pytest.raises(KeyError, match=r"video\.unknown"):
        Intake(settings).process(make_batch("video.unknown", []), NOW_MS)
