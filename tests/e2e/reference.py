"""What a log must lead to: the pure update over all events in order, in one process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from kafka import KafkaConsumer, TopicPartition
from numpy.typing import NDArray

from streams.bundles.bundle import Bundle
from streams.effects.effects import LogBatch
from streams.inference.engine import Engine
from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.log.partition import partition_of
from streams.runtime.topics import changelog_topic
from streams.settings import Settings
from streams.update.source_marks import PREFIX
from streams.windows.stored_value import decode_pointer, decode_value
from tests.updaters import make_updater


class NoStore:
    """A store that knows nobody."""

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        return [None] * len(keys)


class State(msgspec.Struct, frozen=True):
    """What two states of a user must have in common."""

    events: tuple[int, ...]
    newest_ms: int
    current: bytes


def sequential_states(
    settings: Settings, records: Iterable[tuple[str, str, dict[str, object]]]
) -> dict[str, State]:
    """States of all users after ``records`` (topic, key, native event), one by one."""
    bundle = Bundle.load(settings.service.bundle)
    engine = Engine(bundle.step_path, bundle.migrate_path, "cpu")
    updater = make_updater(settings, bundle, engine)
    intake, store = Intake(settings), NoStore()
    offset = 0
    for offset, (topic, key, event) in enumerate(records):
        source = SourceBatch(topic, 0, [offset], [1], [key.encode()], [json.dumps(event).encode()])
        made = intake.process(source, 2**53)
        assert not made.dead, made.dead
        keys = [k for k, _, _ in made.records]
        values = [v for _, v, _ in made.records]
        offsets = [offset * 100 + n for n in range(len(keys))]
        updater.process([LogBatch(0, offsets, list(keys), list(values))], store)
    rows = {updater.slab.keys[r]: r for r in range(updater.slab.capacity)}
    return {
        key: State(
            tuple(updater.slab.rows["counts"][row].tolist()),
            int(updater.slab.newest_ms[row]),
            updater.slab.rows["current"][row].tobytes(),
        )
        for key, row in rows.items()
        if key is not None
    }


def states_of_changelog(settings: Settings, entries: dict[bytes, bytes]) -> dict[str, State]:
    """States as the changelog has them; marks and pointers are left out."""
    bundle = Bundle.load(settings.service.bundle)
    engine = Engine(bundle.step_path, bundle.migrate_path, "cpu")
    slab = make_updater(settings, bundle, engine).slab
    states = {}
    for key, value in entries.items():
        name = key.decode()
        if name.startswith(PREFIX) or decode_pointer(value) is not None:
            continue
        row, _ = decode_value(slab.layout, value)
        newest_ms = int(slab.newest(row[None])[0])
        states[name] = State(tuple(row["counts"].tolist()), newest_ms, row["current"].tobytes())
    return states


def applied_offsets(settings: Settings, entries: dict[bytes, bytes]) -> dict[int, int]:
    """The last log offset that a state has, by partition of the log."""
    bundle = Bundle.load(settings.service.bundle)
    engine = Engine(bundle.step_path, bundle.migrate_path, "cpu")
    layout = make_updater(settings, bundle, engine).slab.layout
    last: dict[int, int] = {}
    for key, value in entries.items():
        if key.decode().startswith(PREFIX) or decode_pointer(value) is not None:
            continue
        partition = partition_of(key, settings.events.partitions)
        row, _ = decode_value(layout, value)
        last[partition] = max(last.get(partition, -1), int(row["applied"]))
    return last


def vectors_of_states(
    bundle_path: Path, states: dict[str, State]
) -> dict[str, NDArray[np.float32]]:
    """Interests [P, V] of each user."""
    bundle = Bundle.load(bundle_path)
    engine = Engine(bundle.step_path, bundle.migrate_path, "cpu")
    names = list(states)
    stacked = np.stack([np.frombuffer(states[n].current, np.float16) for n in names])
    return dict(zip(names, engine.migrate(stacked), strict=True))


def read_topic(bootstrap: str, topic: str) -> dict[bytes, Any]:
    """The last record of every key."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        last: dict[bytes, Any] = {}
        while any(consumer.position(p) < ends[p] for p in partitions):
            for records in consumer.poll(timeout_ms=1000).values():
                for record in records:
                    last[record.key] = record
        return {key: record for key, record in last.items() if record.value}
    finally:
        consumer.close()


def counted(settings: Settings, bootstrap: str) -> int:
    values = {k: r.value for k, r in read_topic(bootstrap, changelog_topic(settings)).items()}
    return sum(sum(s.events) for s in states_of_changelog(settings, values).values())


def assert_same_states(found: dict[str, State], expected: dict[str, State]) -> None:
    """Equal counts and times; states up to the last bit of a float16 or two.

    A logarithm at the end of a batch takes another path through the processor than one in
    its middle, and may round the other way.
    """
    assert {k: (s.events, s.newest_ms) for k, s in found.items()} == {
        k: (s.events, s.newest_ms) for k, s in expected.items()
    }
    for key, state in found.items():
        there = np.frombuffer(state.current, np.float16).astype(np.float32)
        want = np.frombuffer(expected[key].current, np.float16).astype(np.float32)
        assert np.allclose(there, want, atol=0.004), key
