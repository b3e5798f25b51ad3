"""Runs a schedule: moves first, then everybody awake until nothing is left to do."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from tests.simulation.machines.broker import TP, Broker, FencedError
from tests.simulation.machines.disk import Disk
from tests.simulation.machines.flight import Rules
from tests.simulation.machines.options import options_of
from tests.simulation.machines.outbox import CHANGELOG, Ended, Parcel, arrive
from tests.simulation.machines.tally import StuckError, Tally
from tests.simulation.machines.worker import Process
from tests.simulation.schedules.late import relink
from tests.simulation.schedules.schedule import NOW_MS, Input, Move, Schedule, sources_of
from tests.simulation.schedules.wishes import order
from tests.simulation.toy import BUNDLES, EVENTS

PATIENCE = 6_000  # steps after the last fault, by when everything must be at rest
CUT = 120  # steps that may pass until a batch has forwarded something
NEW: TP = ("video", 2)  # the partition by which a topic grows


@dataclass
class World:
    """One run.

    Attributes:
        broker: all topics.
        processes: each worker's current life, None where it is down.
        ghosts: record batches of dead processes that are still under way.
    """

    schedule: Schedule
    rules: Rules
    tally: Tally
    broker: Broker = field(default_factory=Broker)
    processes: list[Process | None] = field(default_factory=list)
    disks: list[Disk] = field(default_factory=list)
    ghosts: list[Parcel] = field(default_factory=list)
    lives: int = 0
    sent: int = 0

    def run(self) -> None:
        """Everything that the schedule says, and what follows."""
        config = self.schedule.config
        self.processes = [None] * config.workers
        self.disks = [Disk() for _ in range(config.workers)]
        sources = sources_of(config)
        self.tps = [*sources, *((EVENTS, p) for p in range(config.partitions))]
        for number in range(config.workers):
            self.start(number, 0)
        self.complete(0, 1)
        for move in self.schedule.moves:
            self.do(move)
        self.settle()

    def do(self, move: Move) -> None:
        """One move; nothing where it isn't possible now."""
        getattr(self, move.kind)(move.worker, move.a)

    # -- moves

    def work(self, number: int, a: int) -> None:
        """One step of a worker."""
        process = self.processes[number]
        if process is not None:
            self._work(process, a)

    def _work(self, process: Process, a: int) -> bool:
        options = options_of(process)
        if not options:
            return False
        self.tally.steps += 1
        action, what = options[a % len(options)]
        self.tally.swaps += action == process.swap
        self.tally.renewals += action == process.renew
        try:
            action(what, a // len(options))
        except Ended:
            self.tally.fenced += 1
            self.crash(process.number, a)
        return True

    def produce(self, number: int, a: int) -> None:
        """The next record of a platform."""
        if self.sent < len(self.schedule.inputs):
            new = self.schedule.inputs[self.sent]
            self.sent += 1
            self.tally.consents += new.topic == "consent"
            self.tally.erasures += new.topic == "erasure"
            grown = new.topic == NEW[0] and NEW in self.tps and a % 3 == 0
            self._send([replace(new, partition=NEW[1])] if grown else [new])

    def crash(self, number: int, a: int) -> None:
        """Kill −9. What was handed to the network arrives, gets lost, or arrives late."""
        process = self.processes[number]
        if process is None:
            return
        self.processes[number] = None
        self.tally.crashes += 1
        if not self.schedule.config.rocks or a % 16 == 5:
            self.disks[number] = Disk()  # memory store, or the disk went with the machine
        fate = a % (3 if self.schedule.config.zombies else 2)
        for place, lane in enumerate(process.outbox.lanes.values()):
            if fate == 1:  # some of it arrives on some of the connections
                for parcel in list(lane)[: a >> 2 * (place % 7) & 3]:
                    self._arrive(parcel)
            elif fate == 2:
                self.ghosts += lane

    def cut(self, number: int, a: int) -> None:
        """Kill −9 between what a batch forwards and its changelog, while the others go on."""
        rng, process = random.Random(a), self.processes[number]
        others = [other for other in self.processes if other is not None and other is not process]
        for _ in range(CUT):
            if process is None or self.processes[number] is not process:
                break
            if process.flight[1] and process.flight[1].has_forwarded:
                break
            self._work(rng.choice([process, *others]), rng.randrange(65536))
        for other in others * rng.randint(0, CUT // 2):
            if self.processes[other.number] is other:
                self._work(other, rng.randrange(65536))
        self.crash(number, a)

    def _arrive(self, parcel: Parcel) -> None:
        try:
            arrive(self.broker, parcel)
        except FencedError:
            self.tally.fenced += 1

    def start(self, number: int, a: int) -> None:
        """A worker starts (again)."""
        if self.processes[number] is None:
            self.lives += 1
            name = f"w{number}.{self.lives}"
            self.processes[number] = Process(
                name, number, self.schedule.config, self.broker, self.disks[number], self.rules
            )
            self.broker.group.enter(name)

    def pause(self, number: int, a: int) -> None:
        """SIGSTOP, a long garbage collection, a frozen machine."""
        process = self.processes[number]
        if process is not None and not process.paused:
            process.paused = True
            self.tally.pauses += 1

    def wake(self, number: int, a: int) -> None:
        """SIGCONT."""
        process = self.processes[number]
        if process is not None:
            process.paused = False

    def join(self, number: int, a: int) -> None:
        """The worker hears of a rebalance (or that it has been left out), and lets go."""
        process, group = self.processes[number], self.broker.group
        if process is None or process.paused:
            return
        member = group.members.get(process.name)
        if member is None or (group.preparing and not member.joined):
            process.revoke()

    def complete(self, number: int, a: int) -> None:
        """The coordinator has waited long enough: a new generation."""
        group, zombies = self.broker.group, self.schedule.config.zombies
        living = {p.name: p for p in self.processes if p is not None}
        for name in [n for n in group.members if n not in living]:
            group.leave(name)
        if not group.members:
            group.preparing = False  # nobody to wait for; whoever wakes up comes again
        if not group.preparing:
            return
        for name, member in list(group.members.items()):
            if member.joined:
                continue
            if not zombies or not (living[name].paused or a % 4 == 0):
                return  # it is waited for
            group.leave(name)
            self.tally.zombies += 1
        if not group.members:
            group.preparing = False  # whoever wakes up comes again
            return
        group.complete(self.tps, a // 4)
        self.tally.rebalances += 1
        for name in group.members:
            living[name].assign(group.generation, group.assignment[name])

    def compact(self, number: int, a: int) -> None:
        """The log cleaner comes by."""
        log = self.broker.log((CHANGELOG, a // 2 % self.schedule.config.partitions))
        log.compact(drop_tombstones=bool(a % 2))

    def ghost(self, number: int, a: int) -> None:
        """A dead process's record batch arrives."""
        if not self.ghosts:
            return
        place = a % len(self.ghosts)
        lane = (self.ghosts[place].producer, self.ghosts[place].tp)
        first = next(n for n, g in enumerate(self.ghosts) if (g.producer, g.tp) == lane)
        self.tally.late_sends += 1
        self._arrive(self.ghosts.pop(first))

    def announce(self, number: int, a: int) -> None:
        """Another bundle is to be in force: a new one, or the one before."""
        bundles = self.broker.bundles
        others = [bundle for bundle in BUNDLES if bundle != bundles[-1]]
        bundles.append(others[a % len(others)])
        self.tally.announcements += 1

    def back(self, number: int, a: int) -> None:
        """The bundle before the last announcement again."""
        bundles = self.broker.bundles
        if len(bundles) > 1:
            bundles.append(bundles[-2])
            self.tally.announcements += 1

    def quiet(self, number: int, a: int) -> None:
        """All records come, and everybody works until nothing is left to do."""
        while self.sent < len(self.schedule.inputs):
            self.produce(0, 0)
        for worker in range(len(self.processes)):
            self.wake(worker, 0)
        self._rest(random.Random(a))

    def grow(self, number: int, a: int) -> None:
        """A platform's topic gets another partition; its keys are spread anew."""
        if NEW not in self.tps:
            self.tps.append(NEW)
            self.tally.grown += 1
            self.broker.group.preparing = True

    def rewind(self, number: int, a: int) -> None:
        """The group's offset of a source is lost: whoever gets it next reads it all again."""
        sources = [tp for tp in self.tps if tp[0] != EVENTS]
        lost = self.broker.group.committed.pop(sources[a % len(sources)], 0)
        self.tally.rewound += lost > 0
        self.broker.group.preparing = True

    def order(self, number: int, a: int) -> None:
        """Somebody is to be erased, when all else is done."""
        self.tally.erasures += 1
        self._send(order(self.schedule.inputs, a))

    def relink(self, number: int, a: int) -> None:
        """A local id gets an event and a link, or loses its link, when all else is done."""
        self._send(relink(self.schedule.inputs, a))

    def _send(self, records: list[Input]) -> None:
        for new in records:
            log = self.broker.log((new.topic, new.partition))
            log.append("platform", 0, [(new.key, new.value, NOW_MS)])

    # -- to rest

    def settle(self) -> None:
        """No more faults: sleepers wake last, ghosts arrive after that.

        Raises:
            StuckError: there is still something to do after many steps.
        """
        rng = random.Random(self.schedule.seed ^ 0x5EED)
        while self.sent < len(self.schedule.inputs):
            self.produce(0, 0)
        if self.schedule.config.zombies:
            self._rest(rng)
        for number in range(len(self.processes)):
            self.wake(number, 0)
            for _ in range(rng.randrange(12)):  # before it hears what has happened
                self.work(number, rng.randrange(65536))
        self._rest(rng)
        late = bool(self.ghosts)
        while self.ghosts:
            self.ghost(0, rng.randrange(64))
        if late:
            self._rest(rng)

    def _rest(self, rng: random.Random) -> None:
        for _ in range(PATIENCE):
            busy = False
            for number in range(len(self.processes)):
                self.start(number, 0)
                self.join(number, 0)
                process = self.processes[number]
                if process is not None:
                    for _ in range(8):
                        if not self._work(process, int(rng.random() * 65536)):
                            break
                        busy = True
                        if self.processes[number] is not process:
                            break
            if self.broker.group.preparing:
                busy = True
                self.complete(0, 4 * rng.randrange(8) + 1)
            if not busy:
                return
        raise StuckError("there is still work after all faults have ended")
