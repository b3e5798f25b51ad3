"""A worker process in the simulator: the real pure code, with the runtime's rules around it.

The rules are those of ``streams.runtime.pipelines`` and ``streams.runtime.transport``: batches
are computed while the one before is on its way, a batch goes through its phases in order, a
position may be committed when its batch is finished, a failure ends the process.
"""

from __future__ import annotations

from collections import deque

from streams.effects.effects import Effects, LogBatch
from streams.effects.order import Part
from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.dead_letters.repeats import fresh, is_by_clock, may_be_repeated
from streams.intake.source import SourceBatch
from tests.simulation.machines.broker import TP, Broker, Log, Record, partition_for
from tests.simulation.machines.disk import Disk
from tests.simulation.machines.flight import Flight, Rules
from tests.simulation.machines.outbox import CHANGELOG, Outbox
from tests.simulation.schedules.schedule import NOW_MS, Config
from tests.simulation.toy import (
    EVENTS,
    sim_bundle,
    sim_intake,
    sim_updater,
)

Taken = list[tuple[TP, list[Record]]]
"""Fetched records by partition."""


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
        self.owned: set[int] = set()
        self.position: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}
        self.known_letters: set[bytes] | None = None
        self.finished: dict[TP, int] = {}
        self.fenced = 0
        self.queues: tuple[Taken, Taken] = ([], [])
        self.computed: list[Flight | None] = [None, None]
        self.flight: list[Flight | None] = [None, None]
        self.outbox = Outbox(name, config, broker, fencing=rules.fencing)
        self.behind: tuple[deque[Flight], deque[Flight]] = (deque(), deque())
        self.revoking = False

    def mine(self) -> list[int]:
        """Partitions of the log that it has."""
        return [partition for topic, partition in self.assigned if topic == EVENTS]

    # -- reading

    def assign(self, generation: int, tps: list[TP]) -> None:
        """The group says what to read from now on; what was ours just before is ours still."""
        mine = {partition for topic, partition in tps if topic == EVENTS}
        unbroken = generation == self.generation + 1
        self.owned &= mine if unbroken else set()
        self.generation = generation
        self.assigned = list(tps)
        self.reading = [(tp, self.broker.log(tp)) for tp in tps]
        committed = self.broker.group.committed
        read = {} if self.rules.seek_at_assign else self.position
        self.position = {tp: read.get(tp, committed.get(tp, 0)) for tp in tps}
        self.ends = {tp: of.end for tp, of in self.reading}
        self.known_letters = None
        self.finished = {}
        self.to_recover = sorted(mine)
        self.fenced = 0

    def recover(self, partition: int, a: int = 0) -> None:
        """Take over a partition of the log: fence its former owner, then read its changelog."""
        if self.rules.fencing and partition not in self.owned:
            self.outbox.fence(partition, self.fenced)
            self.fenced += 1
            if self.fenced == 3:
                self.owned.add(partition)
                self.fenced = 0
            return
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
        if not pipe:
            self.computed[pipe] = self._read(taken, done)
            return
        batches = [
            LogBatch(tp[1], [r[0] for r in rs], [r[1] for r in rs], [r[2] for r in rs])
            for tp, rs in taken
        ]
        if self.config.swaps and (effects := self._beforehand(batches)) is not None:
            queue[:0] = taken
            done = {}
        else:
            effects = self.updater.process(batches, self.disk)
            assert not effects.refused, effects.refused
        assert len(self.updater.slab) <= self.config.capacity, "more users than memory may hold"
        self._computed(effects, done)

    def _beforehand(self, batches: list[LogBatch]) -> Effects | None:
        """Some users come over to the bundle before their batch, where it has several."""
        stale = self.updater.stale(batches, self.disk)
        if sum(map(len, stale.values())) < 2:
            return None
        partition, keys = next(iter(stale.items()))
        return self.updater.bring_over(partition, keys[:1], self.disk)

    def _computed(self, effects: Effects, done: dict[TP, int]) -> None:
        phases, batch = self.rules.phases(effects), self.updater.slab.batch
        self.computed[1] = Flight(phases, effects, batch, done)

    # -- bundles

    def swap(self, _: object, a: int) -> None:
        """The newest bundle from here on."""
        self.bundle = self.broker.bundles[-1]
        self.updater.swap(sim_bundle(self.config.window, self.config.capacity, self.bundle))

    def renew(self, _: object, a: int) -> None:
        """Some users without events come over to the bundle."""
        partitions = self.mine()
        turn = a % len(partitions)
        partitions = partitions[turn:] + partitions[:turn]
        effects = self.updater.renew(partitions, self.disk, 1 + a % 3)
        assert effects is not None
        self._computed(effects, {})

    def _read(self, taken: Taken, done: dict[TP, int]) -> Flight:
        flight = Flight([(Part.FORWARDS, Part.DEAD_LETTERS), (Part.FINISH,)], None, 0, done)
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
            for letter in made.dead:
                self._sort(letter, flight)
        return flight

    def _sort(self, letter: DeadLetter, flight: Flight) -> None:
        if not self.rules.look_up_letters or not may_be_repeated(letter, self.ends):
            flight.letters.append(letter)
        elif is_by_clock(letter) and self.rules.clock_letters_first:
            flight.first.append(letter)
        else:
            flight.again.append(letter)

    # -- the phases of a batch

    def take_off(self, pipe: int, a: int) -> None:
        """The batch before is home; this one starts."""
        self.flight[pipe], self.computed[pipe] = self.computed[pipe], None
        self.advance(pipe, a)

    def advance(self, pipe: int, a: int) -> None:
        """The next phase."""
        flight = self.flight[pipe]
        assert flight is not None
        assert flight.ticket.waiting == 0
        flight.place += 1
        phase, last = flight.phases[flight.place], flight.place == len(flight.phases) - 1
        if last and (self.behind[pipe] or flight.again):  # not before the one before it
            self.behind[pipe].append(flight)
            self.flight[pipe] = None
            return
        for part in phase:
            if part is Part.STORE:
                self._store(flight)
            elif part is Part.FINISH:
                self._finish(flight)
            else:
                self._send(part, flight)
        if last or Part.SWEEP in phase:
            self.flight[pipe] = None
        if Part.SWEEP in phase and not last:
            self.behind[pipe].append(flight)

    def acknowledge(self, pipe: int, a: int) -> None:
        """The first of those that had something left to do is finished."""
        self._finish(self.behind[pipe].popleft())

    def look_up(self, _: Flight, a: int) -> None:
        """Read which letters there are, or were: once for an assignment."""
        places = self.broker.letters
        self.known_letters = {f"{topic}/{n}/{offset}".encode() for topic, n, offset in places}

    def write_again(self, flight: Flight, a: int) -> None:
        """Write the letters of records that have none, though they may have been read before."""
        self._write_lacking(flight.again)
        flight.again = []

    def _write_lacking(self, letters: list[DeadLetter]) -> None:
        assert self.known_letters is not None
        self._write(fresh(letters, self.ends, self.known_letters))

    def _write(self, letters: list[DeadLetter]) -> None:
        knows = self.broker.group.knows(self.name, self.generation)
        self.outbox.write_letters(letters, by_zombie=not knows)

    def _send(self, part: Part, flight: Flight) -> None:
        if part is Part.DEAD_LETTERS:
            if flight.first:
                self._write_lacking(flight.first)
            self._write(flight.letters)
        elif flight.effects is None:
            self.outbox.post_log(flight.out, flight.ticket)
        else:
            self.outbox.send(part, flight.effects, flight.ticket)

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
