"""One contestant, one run: so many events as fast as it can, and whether it did its work.

A contestant starts, applies a first part of the events (code is loaded, connections stand),
and is held (SIGSTOP) while the rest is put into its topic. Then it goes on. From there to the
broker's time of its last vector is the time taken; its CPU time is the kernel's for the same
time. Then, when everything is committed, every vector that it has sent is read and checked
(``checks``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from deploy.kafka import KafkaServer
from tests.bench.graph import Model
from tests.bench.race.broker import Record, Topics
from tests.bench.race.checks import WrongError, check_states, check_windows, last_vectors
from tests.bench.race.contestant import Contestant, Place
from tests.bench.race.process import Pinned, Sampler, memory_mib
from tests.bench.race.reference import Reference, make_reference
from tests.bench.race.traffic import Traffic, make_producer, produce

START_S: Final = 120.0
"""Longest time to start and to apply the first events, on a busy machine."""
STALL_S: Final = 60.0
"""Longest time without a new vector."""
QUIET_S: Final = 0.25
"""Between two looks at how far it is; they cost the broker's core, not the contestant's."""

Result = TypeVar("Result")
Watch = Callable[[Pinned], None]


@dataclass(frozen=True)
class Run:
    """One run's figures.

    Attributes:
        contestant: its name.
        events: events applied in the time measured.
        seconds: wall-clock seconds.
        cpu_s: CPU seconds of the contestant in that time, of each of its processes.
        broker_cpu_s: CPU seconds of the broker in that time.
        peak_mib: highest resident memory (of the largest process).
        memory_mib: resident memory at the end (of the largest process).
        vectors: vector messages on the topic that was watched.
        start_s: from the start of the first process to the first vector.
    """

    contestant: str
    events: int
    seconds: float
    cpu_s: tuple[float, ...]
    broker_cpu_s: float
    peak_mib: float
    memory_mib: float
    vectors: int
    start_s: float

    def figures(self) -> dict[str, Any]:
        """All of it, and what follows from it."""
        per_event = 1e6 / self.events
        return asdict(self) | {
            "events_per_s": self.events / self.seconds,
            "cpu_us_per_event": sum(self.cpu_s) * per_event,
            "broker_us_per_event": self.broker_cpu_s * per_event,
            "vectors_per_event": self.vectors / self.events,
            "cores": sum(self.cpu_s) / self.seconds,
        }


@dataclass(frozen=True)
class Job:
    """What a contestant is to do.

    Attributes:
        traffic: the events.
        warm: how many of them come before the clock starts.
        topic: where they are put; default the log.
        values: the records; default those of the log.
        history: events that every user had before.
        checked: hold states and windows against the reference (else the counts alone).
        watch: called with the first process just before the clock starts.
        settled: returns when the clock may start, e.g. when all workers have partitions.
        rest_s: from the last vector to the look at the resident memory.
    """

    traffic: Traffic
    warm: int
    topic: str | None = None
    values: list[bytes] | None = None
    history: int = 0
    checked: bool = True
    watch: Watch | None = None
    settled: Callable[[], None] | None = None
    rest_s: float = 0.0


class Race:
    """Runs contestants over one broker.

    Args:
        server: the broker.
        core: the contestants' core.
        model: weights and items.
    """

    def __init__(self, server: KafkaServer, core: int, model: Model) -> None:
        assert server.pid is not None
        self._broker_pid = server.pid
        self._core = core
        self._model = model
        self.topics = Topics(server.bootstrap)
        self.producer = make_producer(server.bootstrap)
        self._references: dict[tuple[int, int], Reference] = {}

    def run(
        self,
        contestant: Contestant,
        place: Place,
        job: Job,
        *,
        commands: Sequence[tuple[list[str], int]] = (),
        keep_topics: bool = False,
    ) -> Run:
        """One run.

        Args:
            contestant: who.
            place: where; its topics are deleted afterwards.
            job: what.
            commands: command lines and their cores, where it isn't the contestant's one.
            keep_topics: leave the topics for the caller to read.

        Raises:
            EndedError: it ended, or got stuck.
            WrongError: events are missing, or states differ.
        """
        before = self.topics.names()
        self._make_topics(contestant, place)
        started = commands or [(contestant.command(place), self._core)]
        try:
            with ExitStack() as stack:
                processes = [
                    stack.enter_context(Pinned(command, core, place.folder / f"log-{number}.txt"))
                    for number, (command, core) in enumerate(started)
                ]
                return self._measure(contestant, place, job, processes)
        finally:
            if not keep_topics:
                self.topics.delete(sorted(self.topics.names() - before))

    def accompany(
        self, contestant: Contestant, place: Place, job: Job, go: Callable[[Pinned], Result]
    ) -> Result:
        """Start a contestant, let it apply the first events, and leave the rest to ``go``."""
        before = self.topics.names()
        self._make_topics(contestant, place)
        try:
            command = contestant.command(place)
            with Pinned(command, self._core, place.folder / "log-0.txt") as process:
                assert job.values is not None
                produce(self.producer, place.events, job.traffic, job.values[: job.warm], 0)
                self.until_applied(contestant, place, job, [process], job.warm)
                return go(process)
        finally:
            self.topics.delete(sorted(self.topics.names() - before))

    def _make_topics(self, contestant: Contestant, place: Place) -> None:
        names = {place.events, *contestant.topics(place)}
        self.topics.make(sorted(names - self.topics.names()), place.partitions)

    def _measure(
        self, contestant: Contestant, place: Place, job: Job, processes: list[Pinned]
    ) -> Run:
        traffic, warm = job.traffic, job.warm
        count = len(traffic)
        first = self._prepare(contestant, place, job, processes)
        start_s = first[0].when - (time.time() - (time.monotonic() - processes[0].started))
        with Sampler([*(process.pid for process in processes), self._broker_pid]) as sampler:
            began = time.time()
            for process in processes:
                process.go_on()
            vectors = self.until_applied(contestant, place, job, processes, count)
            ended = vectors[-1].when
            used = [sampler.at(ended), sampler.at(began)]
            cpu = [after - before for after, before in zip(*used, strict=True)]
            time.sleep(job.rest_s)
            peak = max(memory_mib(process.pid, "VmHWM") for process in processes)
            resident = max(memory_mib(process.pid) for process in processes)
        if job.checked:
            self._check(contestant, place, traffic, vectors)
        return Run(
            contestant=contestant.name,
            events=count - warm,
            seconds=ended - began,
            cpu_s=tuple(cpu[:-1]),
            broker_cpu_s=cpu[-1],
            peak_mib=peak,
            memory_mib=resident,
            vectors=len(vectors) - len(first),
            start_s=start_s,
        )

    def _prepare(
        self, contestant: Contestant, place: Place, job: Job, processes: list[Pinned]
    ) -> list[Record]:
        """The first events are applied, the rest lies before paused processes; vectors so far."""
        traffic, warm = job.traffic, job.warm
        values = job.values or contestant.records(place, traffic, self._model.items)
        topic = job.topic or place.events
        self._wait_for(topic)
        produce(self.producer, topic, traffic, values[:warm], 0)
        first = self.until_applied(contestant, place, job, processes, warm)
        if job.settled is not None:
            job.settled()
        for process in processes:
            process.pause()
        produce(self.producer, topic, traffic, values[warm:], warm)
        if job.watch is not None:
            job.watch(processes[0])
        return first

    def _wait_for(self, topic: str) -> None:
        """The contestant makes this topic; wait until it is there."""
        deadline = time.monotonic() + START_S
        while topic not in self.topics.names():
            assert time.monotonic() < deadline, f"nobody made the topic {topic}"
            time.sleep(QUIET_S)

    def until_applied(
        self, contestant: Contestant, place: Place, job: Job, processes: list[Pinned], count: int
    ) -> list[Record]:
        """Wait until vectors say that ``count`` events are applied; all vectors so far.

        Raises:
            EndedError: a process ended, or no new vectors come.
            WrongError: vectors say of more events.
        """
        topic, topics = contestant.vectors(place), self.topics
        ends: list[int] = []
        applied = 0
        limit = time.monotonic() + START_S
        while True:
            time.sleep(QUIET_S)
            for process in processes:
                process.check()
            now = topics.ends(topic, place.partitions) if topic in topics.names() else []
            if now != ends:
                ends, limit = now, time.monotonic() + STALL_S
                continue
            if any(ends):
                vectors = topics.read(topic, None, ends)
                counts = last_vectors(contestant, vectors, "events").values()
                applied = sum(counts) - job.history * len(counts)
                if applied == count:
                    time.sleep(max(0.0, vectors[-1].when + contestant.settle_s - time.time()))
                    return vectors
                if applied > count:
                    raise WrongError(f"{contestant.name} applied {applied} of {count} events")
            if time.monotonic() > limit:
                raise processes[0].error(
                    f"{contestant.name} doesn't get on: {sum(ends)} vectors, {applied} of {count} "
                    f"events beside {job.history} of each user before"
                )

    def _check(
        self, contestant: Contestant, place: Place, traffic: Traffic, vectors: list[Record]
    ) -> None:
        key = (hash(traffic.user.tobytes()), len(traffic))
        if key not in self._references:
            self._references[key] = make_reference(self._model, traffic)
        reference = self._references[key]
        check_states(contestant, reference, vectors)
        changelog = contestant.changelog(place)
        if changelog is not None:
            ends = self.topics.ends(changelog, place.partitions)
            rows = self.topics.read(changelog, None, ends)
            check_windows(contestant, self._model, reference, rows)
