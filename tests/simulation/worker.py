"""A worker process in the simulator: the real pure code, with the runtime's rules around it.

The rules are those of ``streams.runtime.pipeline`` and ``streams.runtime.transport``: batches
are computed while the one before is on its way, a batch goes through its stages in order, a
position may be committed when its batch is finished, a failure ends the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.contract import ACTIONS
from streams.intake.deadletter import DeadLetter, concerns
from streams.intake.source import SourceBatch
from streams.interest import log
from streams.interest.effects import Effects, LogBatch
from streams.interest.marks import OWNER
from streams.interest.stages import Part, Stage, stages_of
from tests.simulation.broker import TP, Broker, FencedError, Key, Log, Record, partition_for
from tests.simulation.schedule import NOW_MS, Config
from tests.simulation.toy import (
    AUDIENCE,
    CATALOGUE,
    EVENTS,
    MODELS,
    PLATFORMS,
    sim_intake,
    sim_slab,
    sim_updater,
)

CHANGELOG = "changelog"
VECTORS = "vectors"
LETTERS = "letters"
Outgoing = tuple[Key, bytes | None, int]
Option = tuple[Callable[[Any, int], None], Any]
"""What a process could do, and with what."""
Taken = list[tuple[TP, list[Record]]]
"""Fetched records by partition."""


class Ended(Exception):
    """The process has ended itself, as a worker does whose batch failed."""


@dataclass(slots=True)
class Disk:
    """What outlives a process: the local store of each partition, with its position."""

    values: dict[int, dict[str, bytes]] = field(default_factory=dict)
    position: dict[int, int] = field(default_factory=dict)

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values."""
        of_partition = self.values.get(partition, {})
        return [of_partition.get(key) for key in keys]

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values behind a key, in order."""
        of_partition = self.values.get(partition, {})
        return iter([(k, of_partition[k]) for k in sorted(of_partition) if k > after])

    def put_many(
        self, partition: int, entries: Sequence[tuple[str, bytes | None]], position: int | None
    ) -> None:
        """Write entries, and the last changelog offset that they stand for."""
        values = self.values.setdefault(partition, {})
        for key, value in entries:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        if position is not None:
            self.position[partition] = position


@dataclass(slots=True)
class Parcel:
    """A record batch on its way to the broker, and what the worker waits for."""

    producer: str
    epoch: int
    tp: TP
    records: list[Outgoing]
    vectors: list[tuple[tuple[str, str], object]]
    ticket: Ticket
    arrived: bool = False


@dataclass(slots=True)
class Ticket:
    """Acknowledgements under way of one stage."""

    waiting: int = 0
    last: dict[int, int | None] = field(default_factory=dict)
    """Changelog partition → last offset (None: acknowledged without one)."""


@dataclass(slots=True)
class Flight:
    """A batch on its way through its stages."""

    stages: list[Stage]
    effects: Effects | None
    batch: int
    done: dict[TP, int]
    out: dict[int, list[Outgoing]] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    ticket: Ticket = field(default_factory=Ticket)
    place: int = -1


@dataclass(slots=True)
class Rules:
    """The protections, so that a test can switch one off."""

    stages: Callable[[Effects], list[Stage]] = stages_of
    forget_at_revoke: bool = True
    drop_at_revoke: bool = True
    drain_at_revoke: bool = True
    fencing: bool = True
    swap_between_batches: bool = True


class Process:
    """One life of a worker."""

    def __init__(self, name: str, number: int, config: Config, broker: Broker, disk: Disk,
                 rules: Rules) -> None:  # fmt: skip
        self.name, self.number = name, number
        self.config, self.broker, self.disk, self.rules = config, broker, disk, rules
        self.bundle = broker.bundles[-1]
        self.updater = sim_updater(config.partitions, config.window, config.capacity, self.bundle)
        self.intake = sim_intake(config.partitions, config.refuse)
        self.clock_ms = NOW_MS + config.skew_ms[number]
        self.paused = False
        self.generation = -1
        self.assigned: list[TP] = []
        self.reading: list[tuple[TP, Log]] = []
        self.to_recover: list[int] = []
        self.kept: set[int] = set()
        self.position: dict[TP, int] = {}
        self.finished: dict[TP, int] = {}
        self.epochs: dict[int, int] = {}
        self.fenced = 0
        self.queues: tuple[Taken, Taken] = ([], [])
        self.computed: list[Flight | None] = [None, None]
        self.flight: list[Flight | None] = [None, None]
        self.lanes: dict[tuple[str, TP], deque[Parcel]] = {}
        self.revoking = False

    # -- what can happen next

    def options(self) -> list[Option]:
        """Everything that this process could do now."""
        if self.paused:
            return []
        found: list[Option] = []
        for key, lane in self.lanes.items():
            if lane:
                found += [(self.deliver, key)] * 2
        for pipe in (0, 1):
            self._pipe_options(pipe, found)
        if self.revoking:
            if self.flight == [None, None] or not self.rules.drain_at_revoke:
                found.append((self.let_go, None))
        elif self.to_recover:
            found.append((self.recover, self.to_recover[0]))
        else:
            found += [
                (self.fetch, tp) for tp, source in self.reading if self.position[tp] < source.end
            ]
            if self.finished:
                found.append((self.commit, None))
            if self.config.swaps:
                self._bundle_options(found)
        return found

    def _bundle_options(self, found: list[Option]) -> None:
        idle = self.flight[1] is None and self.computed[1] is None
        if self.bundle != self.broker.bundles[-1]:
            if idle or not self.rules.swap_between_batches:
                found.append((self.swap, None))
        elif idle and any(not self.updater.renewal(p, self.disk).complete for p in self._mine()):
            found.append((self.renew, None))

    def _mine(self) -> list[int]:
        return [partition for topic, partition in self.assigned if topic == EVENTS]

    def _pipe_options(self, pipe: int, found: list[Option]) -> None:
        flight = self.flight[pipe]
        if flight is not None:
            if flight.ticket.waiting == 0:
                found += [(self.advance, pipe)] * 2
        elif self.computed[pipe] is not None:
            found.append((self.take_off, pipe))
        if self.computed[pipe] is None and self.queues[pipe] and not self.to_recover:
            found += [(self.compute, pipe)] * 2

    # -- reading

    def assign(self, generation: int, tps: list[TP]) -> None:
        """The group says what to read from now on; what was ours just before is ours still."""
        unbroken = generation == self.generation + 1
        self.kept = self._taken_over() if unbroken else set()
        self.generation = generation
        self.assigned = list(tps)
        self.reading = [(tp, self.broker.log(tp)) for tp in tps]
        committed = self.broker.group.committed
        self.position = {tp: committed.get(tp, 0) for tp in tps}
        self.finished = {}
        self.to_recover = [partition for topic, partition in tps if topic == EVENTS]
        self.fenced = 0

    def _taken_over(self) -> set[int]:
        """Partitions of the log whose former owner is shut out."""
        return {partition for topic, partition in self.assigned if topic == EVENTS} - set(
            self.to_recover
        )

    def recover(self, partition: int, a: int = 0) -> None:
        """Take over a partition of the log: fence its former owner, then read its changelog."""
        if self.rules.fencing and partition not in self.kept and self.fenced < 3:
            self._fence(partition)
            return
        self.fenced = 0
        changelog = self.broker.log((CHANGELOG, partition))
        start = self.disk.position.get(partition, -1) + 1
        entries = [
            (key.decode(), value)
            for _, key, value, _ in changelog.read(start, 1 << 30)
            if key is not None
        ]
        self.disk.put_many(partition, entries, changelog.end - 1)
        self.to_recover.remove(partition)
        self.position[EVENTS, partition] = self.broker.group.committed.get((EVENTS, partition), 0)

    def _fence(self, partition: int) -> None:
        """A new producer epoch, then a marker in the vectors, then a claim in the changelog."""
        producer = f"p{partition}"
        try:
            if self.fenced == 0:
                self.epochs[partition] = self.broker.take_over(producer)
            elif self.fenced == 1:
                self.broker.mark_vectors(producer, self.epochs[partition])
            else:
                claim = (f"{OWNER}{partition}".encode(), self.name.encode(), 0)
                changelog = self.broker.log((CHANGELOG, partition))
                changelog.append(producer, self.epochs[partition], [claim])
        except FencedError as error:
            raise Ended(str(error)) from error
        self.fenced += 1

    def fetch(self, tp: TP, a: int) -> None:
        """One fetch of one partition."""
        records = self.broker.log(tp).read(self.position[tp], 1 + a % min(6, self.config.batch))
        if not records:
            self.position[tp] = self.broker.log(tp).end
            return
        self.position[tp] = records[-1][0] + 1
        self.queues[tp[0] == EVENTS].append((tp, records))

    # -- computing

    def compute(self, pipe: int, a: int) -> None:
        """What is waiting, together."""
        queue = self.queues[pipe]
        taken = [queue.pop(0)]
        while queue and sum(len(r) for _, r in taken) < self.config.batch and a % 4:
            taken.append(queue.pop(0))
        done = {tp: records[-1][0] + 1 for tp, records in taken}
        self.computed[pipe] = self._update(taken, done) if pipe else self._read(taken, done)

    def _update(self, taken: Taken, done: dict[TP, int]) -> Flight:
        batches = [
            LogBatch(tp[1], [r[0] for r in rs], [r[1] for r in rs], [r[2] for r in rs])
            for tp, rs in taken
        ]
        effects = self.updater.process(batches, self.disk)
        assert not effects.refused, effects.refused
        return Flight(self.rules.stages(effects), effects, self.updater.slab.batch, done)

    # -- bundles

    def swap(self, _: object, a: int) -> None:
        """The newest bundle from here on."""
        self.bundle = self.broker.bundles[-1]
        slab = sim_slab(self.config.window, self.config.capacity, self.bundle)
        self.updater.swap(slab, CATALOGUE, MODELS[self.bundle], AUDIENCE, ACTIONS)

    def renew(self, _: object, a: int) -> None:
        """Some users without events come over to the bundle."""
        partitions = self._mine()
        turn = a % len(partitions)
        partitions = partitions[turn:] + partitions[:turn]
        effects = self.updater.renew(partitions, self.disk, 1 + a % 3)
        assert effects is not None
        flight = Flight(self.rules.stages(effects), effects, self.updater.slab.batch, {})
        self.computed[1] = flight

    def _read(self, taken: Taken, done: dict[TP, int]) -> Flight:
        flight = Flight([(Part.FORWARDS, Part.LETTERS), (Part.FINISH,)], None, 0, done)
        for (topic, partition), records in taken:
            made = self.intake.process(
                SourceBatch(
                    topic,
                    partition,
                    [r[0] for r in records],
                    [r[3] for r in records],
                    [r[1] for r in records],
                    [r[2] for r in records],
                ),
                self.clock_ms,
            )
            for key, value, stamp in made.records:
                to = partition_for(key, self.config.partitions)
                flight.out.setdefault(to, []).append((key, value, stamp))
            flight.letters += made.dead
        return flight

    # -- the stages of a batch

    def take_off(self, pipe: int, a: int) -> None:
        """The batch before is home; this one starts."""
        self.flight[pipe], self.computed[pipe] = self.computed[pipe], None
        self.advance(pipe, a)

    def advance(self, pipe: int, a: int) -> None:
        """The next stage."""
        flight = self.flight[pipe]
        assert flight is not None
        assert flight.ticket.waiting == 0
        flight.place += 1
        for part in flight.stages[flight.place]:
            if part is Part.STORE:
                self._store(flight)
            elif part is Part.FINISH:
                self._finish(flight)
            else:
                self._send(part, flight)
        if flight.place == len(flight.stages) - 1:
            self.flight[pipe] = None

    def _send(self, part: Part, flight: Flight) -> None:
        effects = flight.effects
        if part is Part.LETTERS:
            for letter in flight.letters:
                self.broker.write_letter(letter)
        elif effects is None:
            self._post_log(flight.out, flight.ticket)
        elif part is Part.FORWARDS:
            self._send_forwards(effects, flight.ticket)
        elif part in (Part.DECLARED, Part.CHANGELOG):
            changes = effects.declared if part is Part.DECLARED else effects.changelog
            for partition, entries in changes.items():
                records: list[Outgoing] = [(key.encode(), value, 0) for key, value in entries]
                producer, epoch = self._producer(partition)
                self._post(producer, epoch, (CHANGELOG, partition), records, flight.ticket)
        elif part is Part.SWEEP:
            self._sweep(effects, flight.ticket)
        elif part is Part.VECTORS:
            self._send_vectors(effects, flight.ticket)
        else:
            for target, identity, partition in effects.tombstones:
                key = (PLATFORMS[target], identity)
                self._post_vectors(partition, [(key, None)], flight.ticket)

    def _sweep(self, effects: Effects, ticket: Ticket) -> None:
        """Read the dead letters, take back those that hold an erased id."""
        held: list[Outgoing] = [
            (key, None, 0)
            for key, known in self.broker.held.items()
            if any(concerns(known.letter, *erased) for erased in effects.erased)
        ]
        self._post(self.name, 0, (LETTERS, 0), held, ticket)

    def _send_forwards(self, effects: Effects, ticket: Ticket) -> None:
        out: dict[int, list[Outgoing]] = {}
        for key, record in effects.forwards:
            raw = key.encode()
            to = partition_for(raw, self.config.partitions)
            out.setdefault(to, []).append((raw, log.encode(record), record.source_ms))
        self._post_log(out, ticket)

    def _post_log(self, out: dict[int, list[Outgoing]], ticket: Ticket) -> None:
        for to, records in out.items():
            self._post(self.name, 0, (EVENTS, to), records, ticket)

    def _producer(self, partition: int) -> tuple[str, int]:
        if self.rules.fencing:
            return f"p{partition}", self.epochs[partition]
        return self.name, 0

    def _send_vectors(self, effects: Effects, ticket: Ticket) -> None:
        vectors = effects.vectors
        if vectors is None:
            return
        sorted_out: dict[int, list[tuple[tuple[str, str], object]]] = {}
        for place, partition in enumerate(vectors.partitions.tolist()):
            key = (PLATFORMS[vectors.targets[place]], vectors.ids[place])
            value = (
                vectors.users[place],
                int(vectors.events[place]),
                int(vectors.as_of_ms[place]),
                vectors.vectors[place].astype(np.float32).tobytes(),
                vectors.shares[place].tobytes(),
            )
            sorted_out.setdefault(partition, []).append((key, value))
        for partition, pairs in sorted_out.items():
            self._post_vectors(partition, pairs, ticket)

    def _post_vectors(
        self, partition: int, pairs: list[tuple[tuple[str, str], object]], ticket: Ticket
    ) -> None:
        producer, epoch = self._producer(partition)
        self._lane(Parcel(producer, epoch, (VECTORS, 0), [], pairs, ticket))

    def _post(self, producer: str, epoch: int, tp: TP, records: list[Outgoing],
              ticket: Ticket) -> None:  # fmt: skip
        size = self.config.record_batch
        for start in range(0, len(records), size):
            part = records[start : start + size]
            self._lane(Parcel(producer, epoch, tp, part, [], ticket))

    def _lane(self, parcel: Parcel) -> None:
        parcel.ticket.waiting += 1
        self.lanes.setdefault((parcel.producer, parcel.tp), deque()).append(parcel)

    def deliver(self, key: tuple[str, TP], a: int) -> None:
        """The next record batch of a lane arrives; its acknowledgement may get lost."""
        lane = self.lanes[key]
        parcel = lane[0]
        try:
            offset = arrive(self.broker, parcel)
        except FencedError as error:
            raise Ended(str(error)) from error
        if a % 8 == 0 and offset is not None:
            return  # the acknowledgement is lost: it is sent again, and known
        lane.popleft()
        ticket = parcel.ticket
        ticket.waiting -= 1
        if parcel.tp[0] == CHANGELOG:
            last = None if offset is None else offset + len(parcel.records) - 1
            ticket.last[parcel.tp[1]] = last

    def _store(self, flight: Flight) -> None:
        assert flight.effects is not None
        declared = flight.effects.declared
        for partition, entries in flight.effects.changelog.items():
            if both := [*declared.get(partition, ()), *entries]:
                self.disk.put_many(partition, both, flight.ticket.last.get(partition))
        self.updater.slab.flushed(flight.batch)

    def _finish(self, flight: Flight) -> None:
        for tp, offset in flight.done.items():
            if tp in self.assigned:
                self.finished[tp] = max(offset, self.finished.get(tp, 0))

    def commit(self, _: object, a: int) -> None:
        """Tell the broker what is finished; the broker may refuse, or not hear of it."""
        if a % 8:
            self.broker.group.commit(self.name, self.generation, self.finished)
            self.finished = {}

    # -- losing partitions

    def revoke(self) -> None:
        """A rebalance: what waits is dropped, what is on its way is seen home."""
        if self.revoking:
            return
        self.revoking = True
        if self.rules.drop_at_revoke:
            for queue in self.queues:
                queue.clear()
            self.computed = [None, None]
        self.to_recover = []

    def let_go(self, _: object, a: int) -> None:
        """Nothing is on its way; forget the users and wait for new partitions."""
        self.assigned, self.reading, self.finished = [], [], {}
        if self.rules.forget_at_revoke:
            self.updater.release()
        self.revoking = False
        self.broker.group.enter(self.name)


def arrive(broker: Broker, parcel: Parcel) -> int | None:
    """A parcel reaches the broker: its first offset, None where it had arrived before."""
    if parcel.arrived:
        return None
    if parcel.tp[0] == VECTORS:
        for key, value in parcel.vectors:
            broker.publish(parcel.producer, parcel.epoch, key, value)
        parcel.arrived = True
        return 0
    if parcel.tp[0] == LETTERS:
        for name, _, _ in parcel.records:
            broker.held.pop(name or b"", None)
        parcel.arrived = True
        return 0
    offset = broker.log(parcel.tp).append(parcel.producer, parcel.epoch, parcel.records)
    parcel.arrived = True
    return offset
