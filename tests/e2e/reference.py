"""What a log must lead to: the pure update over all events in order, in one process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.interest.bundle import Bundle
from streams.interest.effects import LogBatch
from streams.interest.engine import Engine
from streams.interest.marks import PREFIX
from streams.interest.state import decode_pointer, decode_row
from streams.output.schema import decode
from streams.runtime.app import make_updater
from streams.settings import Settings


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
        row, _ = decode_row(slab.layout, value)
        states[name] = State(
            tuple(row["counts"].tolist()), slab._newest(row), row["current"].tobytes()
        )
    return states


def vectors_of_states(
    bundle_path: Path, states: dict[str, State]
) -> dict[str, NDArray[np.float32]]:
    """Interests [P, V] of each user."""
    bundle = Bundle.load(bundle_path)
    engine = Engine(bundle.step_path, bundle.migrate_path, "cpu")
    names = list(states)
    stacked = np.stack([np.frombuffer(states[n].current, np.float16) for n in names])
    return dict(zip(names, engine.migrate(stacked), strict=True))


__all__ = ["State", "decode", "sequential_states", "states_of_changelog", "vectors_of_states"]
