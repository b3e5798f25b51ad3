"""Columns and one by one: the same log has the same effects, to the byte."""

from __future__ import annotations

from dataclasses import fields
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.effects.effects import Effects, LogBatch
from streams.log import codec
from streams.log.keys import local_key, split_local_key, user_key
from streams.log.records import (
    Adopt,
    Announce,
    Consent,
    Erase,
    Event,
    Forget,
    Link,
    LogRecord,
    Release,
    Via,
)
from streams.update.plain_path import NOWHERE, Keyed, split
from streams.update.source_marks import PREFIX, Marks
from streams.update.updater import Updater
from streams.windows.layout import VERSION, Layout, ring_entries
from streams.windows.stored_value import decode_value
from tests.unit.streams.toy import DAY_MS, START_MS, MemoryStore, event, toy_updater

USERS = [user_key(name) for name in ("ann", "bob", "eve")]
LOCALS = [local_key("shop", f"c-{n}") for n in range(3)]
ODD_TIMES = (-1, 1 << 50, START_MS + 90 * DAY_MS)
ODD_VALUES = (None, b"", b"\xc1", b"\xc1" * 50, b"{}", b"\x91\xa1x")


def make_log(rng: Random) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values of a log: mostly events in order, now and then everything else."""
    records: list[tuple[bytes | None, bytes | None]] = []
    for number in range(rng.randint(1, 60)):
        kind = rng.randrange(rng.choice([20, 60, 1000]))
        key = rng.choice([*USERS, *LOCALS])
        value: bytes | None = codec.encode(_record(rng, kind, key, number))
        if kind == 1:
            value = rng.choice(ODD_VALUES)
        raw = rng.choice([None, b"ann", b"\xff", b""]) if kind == 2 else key.encode()
        records.append((raw, value))
    return records


def _record(rng: Random, kind: int, key: str, number: int) -> LogRecord:
    via = Via(rng.choice("ab"), rng.randrange(2), number)
    if kind == 3:
        local = split_local_key(rng.choice(LOCALS))
        return Link(via, *local, rng.choice(["ann", "bob", None]), number)
    if kind == 4 and key in LOCALS:
        return Link(via, *split_local_key(key), "ann", number)
    if kind == 5:
        return Adopt(via, "shop", "c-9", b"", number)
    if kind == 6:
        return Release(via, "shop", "c-9", number)
    if kind == 7:
        return Announce(via, "shop", "c-9", number)
    if kind == 17:
        return Consent(via, rng.random() < 0.5, (("shop", "*"), ("*", "video")), number)
    if kind == 18:
        return Erase(via, START_MS + 500 * number, rng.random() < 0.2, False, number)
    if kind == 19 and key in LOCALS:
        local = split_local_key(key)
        return Forget(via, *local, "ann", START_MS + 500 * number, False, number)
    if kind in (8, 9):  # intake began again; a sub that isn't 0; positions too large for columns
        offset = rng.choice([0, number // 2, 1 << 61])
        via = Via(via.topic, via.partition, offset, rng.choice([0, 1, 1 << 20]))
    return _event(rng, kind, via, number)


def _event(rng: Random, kind: int, via: Via, number: int) -> Event:
    time_ms = START_MS + 1000 * number
    if kind in (10, 11):
        time_ms -= rng.randrange(40_000)  # late, perhaps
    if kind == 12:
        time_ms = rng.choice(ODD_TIMES)
    identity = rng.randint(1, 4) if kind in (13, 14) else 100 + number
    platform = "games" if kind == 15 else rng.choice(["video", "shop", "news"])
    action = "stare" if kind == 16 else rng.choice(["click", "purchase"])
    item = f"i{rng.randrange(23)}"  # the last ones aren't known
    return Event(via, platform, action, item, time_ms, identity, time_ms + 5)


def unrolled(layout: Layout, key: str, value: bytes | None) -> Any:
    """A stored value with its ring begun at slot 0: where a ring begins says nothing.

    Going back for a late event empties the ring, and may do so before or after a batch's other
    events; what the ring then holds is the same.
    """
    if value is None or key.startswith(PREFIX) or value[0] >> 4 != VERSION:
        return value
    row, tail = decode_value(layout, value)
    entries = ring_entries(layout, row)
    row["ring"], row["head"] = 0, 0
    return row.tobytes(), entries.tobytes(), tail


def plain(value: Any) -> Any:
    """Effects with equal bytes as equal values; how ONNX was called may differ."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if hasattr(value, "__dataclass_fields__"):
        return {
            f.name: plain(getattr(value, f.name))
            for f in fields(value)
            if f.name not in ("steps", "migrations")
        }
    return value


def live(
    records: list[tuple[bytes | None, bytes | None]], sizes: list[int], *, columns: bool
) -> tuple[list[Any], Updater, MemoryStore]:
    """Effects of a log that comes in batches of these sizes, in a loop."""
    updater, store = toy_updater(window=4), MemoryStore()
    made: list[Any] = []
    start = 0
    updater.columns_from = 1 if columns else 1 << 30
    while start < len(records):
        size = sizes[len(made) % len(sizes)]
        cut = [records[start : start + size], records[start + size : start + size + 2]]
        joined, at = [], start
        for part in cut:  # two batches of one partition in one call
            keys, values = [k for k, _ in part], [v for _, v in part]
            joined.append(LogBatch(0, list(range(at, at + len(part))), keys, values))
            at += len(part)
        effects: Effects = updater.process(joined, store)
        store.write(effects)
        updater.slab.flushed(updater.slab.batch)
        layout = updater.slab.layout
        made.append(plain(effects))
        made[-1]["changelog"] = [
            (partition, key, unrolled(layout, key, value))
            for partition, entries in effects.changelog.items()
            for key, value in entries
        ]
        start = at
    return made, updater, store


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 32))
def test_columns_and_one_by_one_have_the_same_effects(seed: int) -> None:
    rng = Random(seed)
    records, sizes = make_log(rng), [rng.randint(1, 30) for _ in range(3)]
    fast, slow = (live(records, sizes, columns=columns) for columns in (True, False))
    assert fast[0] == slow[0]
    # Read again from the beginning, as after a crash before the commit.
    again = []
    for _, updater, store in (fast, slow):
        updater.release()
        whole = LogBatch(0, list(range(len(records))), *map(list, zip(*records, strict=True)))
        again.append(plain(updater.process([whole], store)))
    assert again[0] == again[1]


def test_the_plain_case_goes_as_columns() -> None:
    """Else the property above would hold for nothing."""
    updater = toy_updater()
    values = [codec.encode(event(START_MS + n, offset=n)) for n in range(3)]
    batch = LogBatch(0, [0, 1, 2], [b"u/a", b"u/b", b"u/a"], list(values))
    found = split(Keyed(batch, ["u/a", "u/b", "u/a"], np.array([4, 5, 4])), updater, Marks(0))
    assert found is not None
    events, others = found
    assert others == []
    assert events.steps.row.tolist() == [4, 5, 4]
    assert events.fresh.all()


def test_all_records_of_a_key_that_is_not_plain_are_left_to_the_general_path() -> None:
    updater = toy_updater()
    link = Link(Via("shop.links", 0, 0), "shop", "c-1", "ann", START_MS)
    names = ["l/shop/c-1", "l/shop/c-1", "u/b", "l/shop/c-2"]
    first = codec.encode(event(START_MS, offset=0))
    later = [codec.encode(event(START_MS + n, offset=n)) for n in (1, 2)]
    batch = LogBatch(0, [7, 8, 9, 10], [], [first, codec.encode(link), *later])
    found = split(Keyed(batch, names, np.array([1, 1, 2, NOWHERE])), updater, Marks(0))
    assert found is not None
    events, others = found
    assert events.offset.tolist() == [9]
    assert [(index, type(record), fresh) for index, record, fresh in others] == [
        (0, Event, True),
        (1, Link, True),
        (3, Event, True),
    ]


@pytest.mark.parametrize("bad", [b"", b"\xc1", codec.encode(event(-1, offset=5))])
def test_a_record_that_cannot_be_used_sends_the_batch_to_the_general_path(bad: bytes) -> None:
    updater, marks = toy_updater(), Marks(0)
    values: list[bytes | None] = [codec.encode(event(START_MS, offset=4)), bad]
    assert split(Keyed(LogBatch(0, [0, 1], [], values), ["u/a"] * 2, np.array([1, 1])),
                 updater, marks) is None  # fmt: skip
    assert marks.advance(Via("video.click", 0, 4))
