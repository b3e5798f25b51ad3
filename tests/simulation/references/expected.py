"""What a run must have led to: one process, one pass over the log, the rules written plainly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.contract import ACTIONS
from streams.log import codec
from streams.log.keys import USER, split_local_key, user_key
from streams.log.records import Erase, Event, Forget, Link, LogRecord, Via
from streams.update.source_marks import PREFIX
from streams.windows.stored_value import bundle_of
from tests.simulation.machines.broker import TP
from tests.simulation.machines.outbox import CHANGELOG
from tests.simulation.machines.world import World
from tests.simulation.references.private import People, Person
from tests.simulation.toy import CATALOGUE, EVENTS, HORIZON_MS, PLATFORMS, STATE, ExactModel
from tests.unit.streams.toy import ReferenceUser


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
    config, letters = world.schedule.config, world.broker.letters
    expected = Expected({}, {}, set(), {}, {}, world.broker.bundles[-1])
    fresh: list[tuple[tuple[int, int], str, LogRecord]] = []
    for partition in range(config.partitions):
        places = expected.marks[partition] = {}
        for offset, raw_key, value, _ in world.broker.log((EVENTS, partition)).history:
            record, key = codec.decode(value or b""), (raw_key or b"").decode()
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
            expected.owner[key] = user_key(person.owner)
        elif person.stored:
            expected.histories[key] = person.stored
    for (partition, offset), key, record in fresh:
        linked = (partition, offset) in people.forwarded
        if (isinstance(record, Erase) and not record.lifted and not linked) or isinstance(
            record, Forget
        ):
            user = key.startswith(USER)
            who = ("", key[len(USER) :]) if user else split_local_key(key)
            expected.erasures.append((*who, (EVENTS, partition), offset))
    return expected


def _expect(world: World) -> Expected:
    histories: dict[str, History] = {}
    windows: dict[str, ReferenceUser] = {}
    owner: dict[str, str] = {}
    seen: set[tuple[str, int, int]] = set()
    marks: dict[int, dict[tuple[str, int], tuple[int, int]]] = {}
    config, letters = world.schedule.config, world.broker.letters
    for partition in range(config.partitions):
        places = marks[partition] = {}
        changes = _changes_of_bundle(world, partition)
        for offset, raw_key, value, _ in world.broker.log((EVENTS, partition)).history:
            record, key = codec.decode(value or b""), (raw_key or b"").decode()
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
    owner[key] = user = user_key(link.user)
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
            items.gather(np.array([item.row])).astype(np.float32),
            np.array([platform]),
            np.array([ACTIONS.index(e.action)]),
            np.array([seconds], np.float32),
        )
        before = e.time_ms
    final: np.ndarray = state[0]
    return final
