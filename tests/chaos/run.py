"""One phase: brokers, workers, steady traffic, faults, and the judge at the end."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

from confluent_kafka import KafkaException

from tests.chaos.draw import KINDS, Drawn
from tests.chaos.faults import Arena
from tests.chaos.plan import Outcome, Plan, Struck
from tests.chaos.systems.cluster import Brokers
from tests.chaos.systems.crew import Crew
from tests.chaos.systems.disk import small_disks
from tests.chaos.systems.systems import System
from tests.chaos.systems.topics import consumer_of, lag, lags, partitions_of
from tests.chaos.traffic import Sender, Step
from tests.chaos.verdict.speed import SLOW_S, Gauge
from tests.chaos.verdict.waiting import Waiting
from tests.workers import WorkerProcess

READY_S: Final = 240.0
FAST_FOR_S: Final = 2.0
DRAIN_S: Final = 180.0
ASKED: Final = 5
TRACED: Final = 5
"""Users whose events are looked up in the topics where the judge found them wrong."""


def run(plan: Plan, system: System) -> Outcome:
    """Run a phase on brokers of its own."""
    with ExitStack() as stack:
        disks = [plan.folder / name / "state" for name in plan.names]
        if any(drawn.kind == "disk_full" for drawn in plan.drawn):
            stack.enter_context(small_disks(disks))
        brokers = stack.enter_context(Brokers(plan.folder / "kafka", plan.nodes, plan.names))
        crew = stack.enter_context(
            Crew(plan.names, lambda n: system.make(n, plan.folder / n, brokers.door(n)))
        )
        return Phase(plan, Arena(brokers, crew, system, plan.session_s)).run()


class Phase:
    """The course of a phase.

    Args:
        plan: what is to be done.
        arena: what it is done to; nothing of it runs yet but the brokers.
    """

    def __init__(self, plan: Plan, arena: Arena) -> None:
        self._plan, self._arena = plan, arena
        self._waiting = Waiting()
        self._gauge = Gauge(self._waiting.seconds)
        self._outcome = Outcome()
        self._began = time.monotonic()

    def run(self) -> Outcome:
        """Run it; what came out."""
        system, crew = self._arena.system, self._arena.crew
        bootstrap = self._arena.brokers.bootstrap
        names = self._plan.names[: self._plan.running]
        system.prepare(bootstrap, crew.slots[names[0]].worker)
        # The others join while events come, and while nothing is committed yet.
        crew.start(names[0])
        self._wait_ready(crew.slots[names[0]].worker)
        sender = Sender(
            bootstrap,
            system.steps(),
            self._plan.rate,
            lambda step: self._waiting.sent(step.number, system.answers_of(step)),
            repeats=system.repeats,
            partition=None if system.partition(next(system.steps())) is None else _placed(system),
        )
        with self._reading():
            sender.start()
            for name in names[1:]:
                crew.start(name)
            self._gauge.start()
            self._warm_up()
            self._strike_all()
            sender.stop()
            self._drain()
        self._gauge.stop()
        self._end(sender)
        return self._outcome

    def _wait_ready(self, worker: WorkerProcess) -> None:
        deadline = time.monotonic() + READY_S
        while not self._arena.system.ready(worker):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the first worker isn't ready:\n{worker.log()[-3000:]}")
            time.sleep(0.2)

    def _warm_up(self) -> None:
        deadline = time.monotonic() + self._plan.back_s
        time.sleep(FAST_FOR_S)
        while not (self._waiting.begun() and self._gauge.is_fast(FAST_FOR_S)):
            if time.monotonic() > deadline:
                self._say("", f"not at full speed ({self._waiting.describe()}); beginning anyway")
                return
            time.sleep(0.2)
        self._say("", f"warm after {time.monotonic() - self._began:.0f} s")

    # -- faults

    def _strike_all(self) -> None:
        under_way: list[tuple[threading.Thread, Struck, float]] = []
        for drawn in self._plan.drawn:
            struck, at = Struck(drawn.kind), time.monotonic()
            thread = threading.Thread(target=self._strike, args=(drawn, struck), daemon=True)
            thread.start()
            under_way.append((thread, struck, at))
            self._outcome.struck.append(struck)
            if drawn.hasty:
                time.sleep(drawn.pause_s)
                continue
            for other, _, _ in under_way:
                other.join()
            self._wait_for_speed(struck, at)
            for _, earlier, _ in under_way:
                self._tell(earlier)
            under_way = []
            time.sleep(drawn.pause_s)

    def _strike(self, drawn: Drawn, struck: Struck) -> None:
        try:
            struck.note = KINDS[drawn.kind].strike(self._arena, random.Random(drawn.seed))
        except Exception as error:  # told in the report; the others go on
            struck.error = f"{type(error).__name__}: {error}"

    def _wait_for_speed(self, struck: Struck, at: float) -> None:
        began = time.monotonic()
        # Before it has lasted so long nobody can see that something stands still since the strike.
        time.sleep(max(FAST_FOR_S, at + SLOW_S + FAST_FOR_S - began))
        while not self._gauge.is_fast(FAST_FOR_S):
            waited, plan = time.monotonic() - began, self._plan
            still = self._waiting.still_s()
            if waited > min(plan.back_s, plan.patience_s) and still < plan.patience_s:
                struck.slow = plan.patience_s < plan.back_s
            struck.stuck = not struck.slow and max(waited, still) > plan.back_s
            if struck.slow or struck.stuck:
                struck.note += f" ({self._behind()})"
                break
            time.sleep(0.1)
        if struck.stuck:
            self._intervene()
        if not struck.slow:
            struck.recovery_s = self._gauge.recovery_s(at, time.monotonic())

    def _behind(self) -> str:
        """The partitions that are furthest behind, and what waits for longest."""
        try:
            found = lags(self._arena.brokers.bootstrap, *self._arena.system.group())
        except KafkaException as error:
            return f"the brokers don't answer: {error}"
        most = sorted(found.items(), key=lambda entry: -entry[1])[:3]
        busy = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
        return ", ".join([*(f"{tp}: {n} behind" for tp, n in most), self._waiting.describe(), busy])

    def _intervene(self) -> None:
        """What somebody on call would do: restart every worker. It counts as a failure."""
        for slot in self._arena.crew.slots.values():
            with slot.busy:
                if slot.wanted:
                    self._arena.crew.kill(slot.name)
                    self._arena.crew.start(slot.name)
        deadline = time.monotonic() + self._plan.back_s
        while not self._gauge.is_fast(FAST_FOR_S) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _tell(self, struck: Struck) -> None:
        number = self._outcome.struck.index(struck) + 1
        place = f"{number:3}/{len(self._plan.drawn)}"
        if struck.error:
            after = f"did not strike: {struck.error}"
        elif struck.slow:
            after = f"not at full speed within {self._plan.patience_s:g} s, and moving"
        elif struck.recovery_s is None:
            after = "the next one struck meanwhile"
        elif struck.stuck:
            after = f"NOT BACK within {self._plan.back_s:g} s; all workers were restarted"
        elif struck.recovery_s == 0:
            after = "full speed throughout"
        else:
            ratio = struck.recovery_s / self._plan.session_s
            after = f"full speed after {struck.recovery_s:.1f} s ({ratio:.1f} x session)"
        self._say(place, f"{struck.kind:22} {struck.note:44} {after}")

    def _say(self, place: str, what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self._plan.say(f"{place:>7}  {minutes:2}:{seconds:02}  {what}")

    # -- answers

    @contextmanager
    def _reading(self) -> Iterator[None]:
        stop = threading.Event()
        system = self._arena.system
        consumer = consumer_of(self._arena.brokers.bootstrap, f"chaos-{uuid.uuid4().hex}")
        consumer.assign(partitions_of(consumer, system.answer_topics()))
        thread = threading.Thread(target=self._read, args=(consumer, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)
            consumer.close()

    def _read(self, consumer: Any, stop: threading.Event) -> None:
        system = self._arena.system
        while not stop.is_set():
            for message in consumer.consume(1000, 0.05):
                if message.error() is None:
                    for stream, number in system.read(message):
                        self._waiting.answered(stream, number)

    # -- the end

    def _drain(self) -> None:
        bootstrap, system = self._arena.brokers.bootstrap, self._arena.system
        left, deadline = self._lag(), time.monotonic() + DRAIN_S
        while left and time.monotonic() < deadline:
            time.sleep(1)
            before, left = left, self._lag()
            if left < before:  # a busy machine may need long for what waits
                deadline = time.monotonic() + DRAIN_S
        self._outcome.undrained = left
        deadline = time.monotonic() + DRAIN_S
        while not system.settled(bootstrap) and time.monotonic() < deadline:
            time.sleep(1)

    def _lag(self) -> int:
        """Records that aren't committed; asks again where a busy broker doesn't answer."""
        for _ in range(ASKED):
            with suppress(KafkaException):
                return lag(self._arena.brokers.bootstrap, *self._arena.system.group())
        return lag(self._arena.brokers.bootstrap, *self._arena.system.group())

    def _end(self, sender: Sender) -> None:
        outcome, system = self._outcome, self._arena.system
        rng = random.Random(0)
        while any(slot.wanted for slot in self._arena.crew.slots.values()):
            with self._arena.crew.one(rng) as slot:
                self._arena.crew.terminate(slot.name)
                slot.wanted = False
        outcome.seconds = time.monotonic() - self._began
        outcome.events = sender.events
        outcome.ended = list(self._arena.crew.ended)
        self._say("", f"{sender.events} events sent; comparing with the reference")
        sent = list(itertools.islice(system.steps(), sender.records))
        bootstrap = self._arena.brokers.bootstrap
        outcome.verdict = system.judge(bootstrap, sent)
        found = ", ".join(f"{n} {name}" for name, n in outcome.verdict.numbers().items())
        self._say("", found.replace("_", " "))  # also where a later phase breaks off
        if outcome.verdict.wrong_users:
            lines = system.trace(bootstrap, sent, set(outcome.verdict.wrong_users[:TRACED]))
            (self._plan.folder / "trace.txt").write_text("\n".join(lines) + "\n")


def _placed(system: System) -> Callable[[Step], int]:
    def place(step: Step) -> int:
        where: Any = system.partition(step)
        return int(where)

    return place
