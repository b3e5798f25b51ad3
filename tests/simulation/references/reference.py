"""Holds a finished run to what it must have led to: states, vectors, marks, letters, memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from streams.intake.dead_letters.dead_letter import concerns
from streams.log.keys import USER, user_key
from streams.log.records import Event
from streams.update.source_marks import PREFIX, Marks
from streams.windows.layout import ACTION_BITS
from streams.windows.stored_tail import Privacy, Tail
from streams.windows.stored_value import decode_pointer, decode_value
from tests.simulation.machines.outbox import CHANGELOG
from tests.simulation.machines.world import World
from tests.simulation.references.expected import Expected, expect, state_of
from tests.simulation.references.private import Person
from tests.simulation.toy import EVENTS, MODELS, PLATFORMS, ExactModel


class Violation(AssertionError):
    """The run broke a promise; the message says which."""


def check(world: World) -> None:
    """Hold a finished run to the reference.

    Raises:
        Violation: something was lost, counted twice, out of date, or without bounds.
    """
    expected = expect(world)
    _check_nothing_lost(world, expected)
    model = MODELS[expected.bundle]
    states = {key: state_of(model, events) for key, events in expected.histories.items()}
    _check_states(world, expected, states)
    _check_vectors(world, expected, states)
    _check_letters(world, expected)
    _check_memory(world)


def _check_nothing_lost(world: World, expected: Expected) -> None:
    letters = world.broker.letters
    for tp in (tp for tp in world.tps if tp[0] != EVENTS):
        for offset, *_ in world.broker.log(tp).history:
            if (*tp, offset) not in expected.seen and (*tp, offset) not in letters:
                raise Violation(f"lost by intake: {tp} offset {offset}")
        if world.broker.group.committed.get(tp, 0) != world.broker.log(tp).end:
            raise Violation(f"{tp} isn't committed to its end")


def _check_states(world: World, expected: Expected, states: dict[str, np.ndarray]) -> None:
    found: dict[str, bytes] = {}
    pointers: dict[str, str] = {}
    for partition in range(world.schedule.config.partitions):
        entries = {
            (key or b"").decode(): value
            for _, key, value, _ in world.broker.log((CHANGELOG, partition)).records
        }
        _check_marks(partition, entries, expected)
        for key, value in entries.items():
            if value is None or key.startswith(PREFIX):
                continue
            user = decode_pointer(value)
            if user is None:
                found[key] = value
            elif user:
                pointers[key] = user_key(user)
        _check_disk(world, partition, entries)
    for key, person in expected.people.items():
        mine = sorted(k for k, user in expected.owner.items() if user == key)
        if key.startswith(USER) and sorted(person.local_ids) != mine:
            raise Violation(f"{key}: should know {person.local_ids}, is pointed at by {mine}")
    if pointers != expected.owner:
        raise Violation(f"links: found {pointers}, expected {expected.owner}")
    _compare(world, found, expected, states)


def _compare(
    world: World, found: dict[str, bytes], expected: Expected, states: dict[str, np.ndarray]
) -> None:
    layout = next(p for p in world.processes if p is not None).updater.slab.layout
    for key in found.keys() | states.keys():
        events = expected.histories.get(key, [])
        if key not in found:
            raise Violation(f"{key}: no state, but {len(events)} events")
        row, tail = decode_value(layout, found[key])
        _check_privacy(key, row, tail, expected.people.get(key))
        count, happened = int(row["counts"].sum()), len(events) + expected.forgotten.get(key, 0)
        if count != happened:
            raise Violation(f"{key}: {count} events counted, {happened} happened")
        if int(row["bundle"]) != expected.bundle:
            raise Violation(f"{key}: bundle {row['bundle']}, in force is {expected.bundle}")
        if events and row["current"].tobytes() != states[key].tobytes():
            raise Violation(f"{key}: the state isn't that of its {count} events in time order")
        known = sorted(f"l/{p}/{i}" for p, i in tail.local_ids)
        if known != sorted(k for k, user in expected.owner.items() if user == key):
            raise Violation(f"{key}: knows the local ids {known}")


def _check_privacy(key: str, row: Any, tail: Tail, person: Person | None) -> None:
    """What a user asked for is known; of what must be forgotten there is no byte."""
    if person is None:
        if tail.privacy is not None:
            raise Violation(f"{key}: {tail.privacy} for a user who said nothing")
        return
    known, wishes = tail.privacy or Privacy(), person.wishes
    found = (known.allow, known.pairs, known.erased_ms, known.refuse)
    wanted = (wishes.allow, wishes.pairs, wishes.erased_ms, wishes.refuse)
    if found != wanted:
        raise Violation(f"{key}: asked for {wanted}, known is {found}")
    sources = {int(kind) >> ACTION_BITS for kind in row["ring"]["kind"][: int(row["length"])]}
    if any(not person.kept >> source & 1 for source in sources):
        raise Violation(f"{key}: events are stored that no target may use")
    if not person.stored and not row["counts"].any():
        parts = (row["current"], row["middle"], row["base"], row["ring"].view("u1"))
        if any(part.any() for part in parts) or known.erased_ms >= 0 < int(row["base_ms"]):
            raise Violation(f"{key}: something is left of what must be forgotten")


def _check_letters(world: World, expected: Expected) -> None:
    """Dead letters of before an erasure don't hold its id any more."""
    for platform, identity, tp, offset in expected.erasures:
        for key, held in world.broker.held.items():
            before = held.ends.get(tp, 0) <= offset and not held.by_zombie
            if before and concerns(held.letter, platform, identity):
                raise Violation(f"dead letter {key!r} holds {identity}, erased at {tp} {offset}")


def _check_marks(partition: int, entries: dict[str, bytes | None], expected: Expected) -> None:
    prefix = Marks(partition).key("")
    found = {
        (key.removeprefix(prefix), place): tuple(position)
        for key, value in entries.items()
        if key.startswith(prefix) and value is not None
        for place, position in msgspec.msgpack.decode(
            value, type=dict[int, tuple[int, int]]
        ).items()
    }
    if found != expected.marks[partition]:
        raise Violation(f"marks of {partition}: {found}, not {expected.marks[partition]}")


def _check_disk(world: World, partition: int, entries: dict[str, bytes | None]) -> None:
    """The owner's local store is what its changelog says."""
    wanted = {key: value for key, value in entries.items() if value is not None}
    for process in world.processes:
        if process is not None and (EVENTS, partition) in process.assigned:
            stored = process.disk.values.get(partition, {})
            if stored != wanted:
                keys = [k for k in stored.keys() | wanted if stored.get(k) != wanted.get(k)]
                raise Violation(f"the local store of {partition} differs in {sorted(keys)}")


def _check_vectors(world: World, expected: Expected, states: dict[str, np.ndarray]) -> None:
    wanted: dict[tuple[str, str], tuple[object, ...]] = {}
    model = MODELS[expected.bundle]
    for key in states:
        if key.startswith(USER):
            name = key[len(USER) :]
            ids = [("video", name)]
            ids += [("shop", k.split("/")[2]) for k, user in expected.owner.items() if user == key]
        else:
            name = key.split("/")[2]
            ids = [("shop", name)]
        for target, identity in ids:
            events, state = expected.histories[key], states[key]
            if (person := expected.people.get(key)) is not None:
                sources = person.targets[PLATFORMS.index(target)]
                events = person.sets[sources].accepted if sources else []
                state = state_of(model, events)
            if events:
                forgotten = expected.forgotten.get(key, 0)
                wanted[target, identity] = (
                    name,
                    *_message(model, target, events, state, forgotten),
                )
    published = world.broker.vectors
    for address in sorted(published.keys() | wanted.keys()):
        if published.get(address) != wanted.get(address):
            raise Violation(
                f"last vector of {address}: {_short(published.get(address))}, "
                f"expected {_short(wanted.get(address))}"
            )


def _message(
    model: ExactModel, target: str, events: Sequence[Event], state: np.ndarray, forgotten: int
) -> tuple[object, ...]:
    """Number of events, as-of time, vector and shares, as they are published."""
    vector = model.migrate(state[None])[0, PLATFORMS.index(target)].tobytes()
    counts = np.zeros(len(PLATFORMS), np.int64)
    for event in events:
        counts[PLATFORMS.index(event.platform)] += 1
    counts[0] += forgotten  # windows that outgrow are of the first platform alone
    shares = (counts / counts.sum()).astype(np.float32).tobytes()
    return int(counts.sum()), events[-1].time_ms, vector, shares


def _short(value: object) -> str:
    return str(value[:3]) if isinstance(value, tuple) else "none"


def _check_memory(world: World) -> None:
    bound = len(world.tps)
    for process in world.processes:
        if process is None:
            continue
        if len(process.updater.slab) > process.config.capacity:
            raise Violation("more users in memory than the slab may hold")
        for partition, marks in process.updater._marks.items():
            size = sum(len(of_topic) for of_topic in marks._seen.values())
            if size > bound:
                raise Violation(f"{size} marks of partition {partition}")
