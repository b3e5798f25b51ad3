"""What a run must have led to: one process, one pass over the log, the rules written plainly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from models.contract import ACTIONS
from streams.intake.deadletter import concerns
from streams.interest import log
from streams.interest.log import Erase, Event, Forget, Link, LogRecord, Via
from streams.interest.marks import PREFIX, Marks
from streams.interest.state import (
    ACTION_BITS,
    Privacy,
    Tail,
    bundle_of,
    decode_pointer,
    decode_value,
)
from tests.simulation.broker import TP
from tests.simulation.private_reference import People, Person
from tests.simulation.toy import (
    CATALOGUE,
    EVENTS,
    HORIZON_MS,
    MODELS,
    PLATFORMS,
    STATE,
    ExactModel,
)
from tests.simulation.worker import CHANGELOG
from tests.simulation.world import World
from tests.unit.streams.interest.toy import ReferenceUser


class Violation(AssertionError):
    """The run broke a promise; the message says which."""


@dataclass
class History:
    """Events of one user that count, in event-time order."""

    events: list[Event] = field(default_factory=list)

    def add(self, new: Event) -> None:
        if all(new.event_hash != e.event_hash for e in self.events):
            self.events.append(new)
            self.events.sort(key=lambda e: e.time_ms)


@dataclass
class Expected:
    """States by key, and who knows whom.

    Attributes:
        histories: events in time order, by user key.
        owner: local id → user, where linked now.
        seen: source positions that the log has.
        marks: per log partition, the newest position of each source partition.
        forgotten: events before the window at a change of bundle: counted, not in the state.
        bundle: tag of the bundle in force.
        people: by key, where users say what they allow and are erased.
        erasures: ids that were erased, and where in the log.
    """

    histories: dict[str, list[Event]]
    owner: dict[str, str]
    seen: set[tuple[str, int, int]]
    marks: dict[int, dict[tuple[str, int], tuple[int, int]]]
    forgotten: dict[str, int]
    bundle: int
    people: dict[str, Person] = field(default_factory=dict)
    erasures: list[tuple[str, str, TP, int]] = field(default_factory=list)


def expect(world: World) -> Expected:
    """The sequential reference over the log as it is in the end."""
    return _expect_wishes(world) if world.schedule.config.wishes else _expect(world)


def _expect_wishes(world: World) -> Expected:
    """The same where users say what they allow and are erased: the log decides the order."""
    config, letters = world.schedule.config, set(world.broker.letters)
    expected = Expected({}, {}, set(), {}, {}, world.broker.bundles[-1])
    fresh: list[tuple[tuple[int, int], str, LogRecord]] = []
    for partition in range(config.partitions):
        places = expected.marks[partition] = {}
        for offset, raw_key, value, _ in world.broker.log((EVENTS, partition)).history:
            record, key = log.decode(value or b""), (raw_key or b"").decode()
            via: Via = record.via
            place, before = (via.offset, via.sub), places.get((via.topic, via.partition), (-1, -1))
            places[via.topic, via.partition] = max(place, before)
            source = (via.topic, via.partition, via.offset)
            if via.topic != EVENTS and (place > before or source not in letters):
                expected.seen.add(source)
            if place > before:
                fresh.append(((partition, offset), key, record))
    people = People(config.window)
    people.read(fresh)
    expected.people = people.found
    for key, person in people.found.items():
        if person.owner is not None:
            expected.owner[key] = log.user_key(person.owner)
        elif person.stored:
            expected.histories[key] = person.stored
    for (partition, offset), key, record in fresh:
        linked = (partition, offset) in people.forwarded
        if (isinstance(record, Erase) and not record.lifted and not linked) or isinstance(
            record, Forget
        ):
            user = key.startswith(log.USER)
            who = ("", key[len(log.USER) :]) if user else log.split_local_key(key)
            expected.erasures.append((*who, (EVENTS, partition), offset))
    return expected


def _expect(world: World) -> Expected:
    histories: dict[str, History] = {}
    windows: dict[str, ReferenceUser] = {}
    owner: dict[str, str] = {}
    seen: set[tuple[str, int, int]] = set()
    marks: dict[int, dict[tuple[str, int], tuple[int, int]]] = {}
    config, letters = world.schedule.config, set(world.broker.letters)
    for partition in range(config.partitions):
        places = marks[partition] = {}
        changes = _changes_of_bundle(world, partition)
        for offset, raw_key, value, _ in world.broker.log((EVENTS, partition)).history:
            record, key = log.decode(value or b""), (raw_key or b"").decode()
            via: Via = record.via
            place, before = (via.offset, via.sub), places.get((via.topic, via.partition), (-1, -1))
            places[via.topic, via.partition] = max(place, before)
            if via.topic == EVENTS:
                continue  # written by the service itself; the originals count
            source = (via.topic, via.partition, via.offset)
            if source in seen:
                continue
            seen.add(source)
            if source in letters and place <= before:
                continue  # from the future by one clock, not by another's; a letter is enough
            if isinstance(record, Link):
                _link(record, key, owner, histories)
            elif isinstance(record, Event) and config.linked:
                histories.setdefault(owner.get(key, key), History()).add(record)
            elif isinstance(record, Event):
                user = windows.setdefault(key, ReferenceUser(config.window, HORIZON_MS))
                _renew(user, changes.get(key, []), offset)
                user.arrive(record)
        for key in changes.keys() & windows.keys():
            _renew(windows[key], changes[key], 1 << 60)
    found = {key: h.events for key, h in histories.items() if h.events}
    found.update({key: w.accepted for key, w in windows.items()})
    forgotten = {key: w.forgotten for key, w in windows.items()}
    return Expected(found, owner, seen, marks, forgotten, world.broker.bundles[-1])


def _link(link: Link, key: str, owner: dict[str, str], histories: dict[str, History]) -> None:
    if link.user is None:
        owner.pop(key, None)
        return
    owner[key] = user = log.user_key(link.user)
    guest = histories.pop(key, None)
    for event in guest.events if guest else ():
        histories.setdefault(user, History()).add(event)


def _renew(user: ReferenceUser, changes: list[int], before: int) -> None:
    """The user's changes of bundle that came before a record of the log."""
    while changes and changes[0] < before:
        changes.pop(0)
        user.renew()


def _changes_of_bundle(world: World, partition: int) -> dict[str, list[int]]:
    """By user key: the log offsets up to which it was applied whenever another bundle came."""
    before: dict[str, tuple[int, int]] = {}
    found: dict[str, list[int]] = {}
    if not world.schedule.config.swaps:
        return found
    for _, raw_key, value, _ in world.broker.log((CHANGELOG, partition)).history:
        key = (raw_key or b"").decode()
        if value is None or key.startswith(PREFIX) or (bundle := bundle_of(value)) is None:
            continue
        applied = int.from_bytes(value[20:28], "little", signed=True)
        was, until = before.get(key, (bundle, applied))
        if was != bundle:
            found.setdefault(key, []).append(until)
        before[key] = bundle, applied
    return found


def state_of(model: ExactModel, events: Sequence[Event]) -> np.ndarray:
    """The state after some events in order, float16 [STATE]."""
    state = np.zeros((1, STATE), np.float16)
    before: int | None = None
    for e in events:
        platform = PLATFORMS.index(e.platform)
        items = CATALOGUE.items[platform]
        item = items.get(e.item) or items.unknown(e.item)
        seconds = 0.0 if before is None else (e.time_ms - before) / 1000.0
        state = model.step(
            state,
            items.gather(np.array([item.row])),
            np.array([platform]),
            np.array([ACTIONS.index(e.action)]),
            np.array([seconds], np.float32),
        )
        before = e.time_ms
    final: np.ndarray = state[0]
    return final


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
    letters = set(world.broker.letters)
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
                pointers[key] = log.user_key(user)
        _check_disk(world, partition, entries)
    for key, person in expected.people.items():
        mine = sorted(k for k, user in expected.owner.items() if user == key)
        if key.startswith(log.USER) and sorted(person.local_ids) != mine:
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
            before = held.ends.get(tp, 0) <= offset
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
        if key.startswith(log.USER):
            name = key[len(log.USER) :]
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
