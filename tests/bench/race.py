"""One contestant, one run: so many events as fast as it can, and whether it did its work.

A contestant starts, applies a first part of the events (code is loaded, connections stand),
and is held (SIGSTOP) while the rest is put into its topic. Then it goes on. From there to the
broker's time of its last vector is the time taken; its CPU time is the kernel's, up to when
everything is committed. Then every vector it has sent is read: each event must be in the
number of events of its user's vectors, the last states must be the reference's, and so must
the windows in its changelog.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from deploy.kafka import KafkaServer
from tests.bench.broker import Record, Topics
from tests.bench.contestants import OURS, Contestant, Place
from tests.bench.graph import WIDTH, Model
from tests.bench.process import Pinned, Sampler, memory_mib
from tests.bench.reference import TOLERANCE, Reference, make_reference
from tests.bench.traffic import Traffic, make_producer, produce

START_S: Final = 120.0
"""Longest time to start and to apply the first events, on a busy machine."""
STALL_S: Final = 60.0
"""Longest time without a new vector."""
QUIET_S: Final = 0.25
"""Between two looks at how far it is; they cost the broker's core, not the contestant's."""


@dataclass(frozen=True)
class Run:
    """One run's figures.

    Attributes:
        contestant: its name.
        events: events applied in the time measured.
        seconds: wall-clock seconds.
        cpu_s: CPU seconds of the contestant.
        broker_cpu_s: CPU seconds of the broker.
        peak_mib: highest resident memory.
        vectors: vector messages sent.
        start_s: from the start of the process to the first vector.
    """

    contestant: str
    events: int
    seconds: float
    cpu_s: float
    broker_cpu_s: float
    peak_mib: float
    vectors: int
    start_s: float

    def figures(self) -> dict[str, Any]:
        """All of it, and what follows from it."""
        per_event = 1e6 / self.events
        return asdict(self) | {
            "events_per_s": self.events / self.seconds,
            "cpu_us_per_event": self.cpu_s * per_event,
            "broker_us_per_event": self.broker_cpu_s * per_event,
            "cores": self.cpu_s / self.seconds,
        }


class WrongError(AssertionError):
    """A contestant didn't do the work that it was measured for."""


class Race:
    """Runs contestants over one broker.

    Args:
        server: the broker.
        core: the contestant's core.
        model: weights and items.
    """

    def __init__(self, server: KafkaServer, core: int, model: Model) -> None:
        assert server.pid is not None
        self._broker_pid = server.pid
        self._core = core
        self._model = model
        self._topics = Topics(server.bootstrap)
        self._producer = make_producer(server.bootstrap)
        self._references: dict[tuple[int, int], Reference] = {}

    def run(
        self,
        contestant: Contestant,
        place: Place,
        traffic: Traffic,
        warm: int,
        watch: Callable[[Pinned], None] | None = None,
    ) -> Run:
        """One run; ``warm`` events are applied before the clock starts.

        ``watch`` is called with the process just before that.

        Raises:
            EndedError: it ended, or got stuck.
            WrongError: events are missing, or states differ.
        """
        before = self._topics.names()
        self._make_topics(contestant, place)
        values = traffic.records(
            f"{place.name}.source", 0, len(traffic), self._model.items, contestant.encode
        )
        command = contestant.command(place)
        try:
            with Pinned(command, self._core, place.folder / "log.txt") as process:
                return self._measure(contestant, place, traffic, values, warm, process, watch)
        finally:
            self._topics.delete(sorted(self._topics.names() - before))

    def _make_topics(self, contestant: Contestant, place: Place) -> None:
        names = [place.events]
        if contestant is not OURS:
            names += [contestant.vectors(place), f"{place.name}.changelog"]
        self._topics.make(names, place.partitions)

    def _measure(
        self,
        contestant: Contestant,
        place: Place,
        traffic: Traffic,
        values: list[bytes],
        warm: int,
        process: Pinned,
        watch: Callable[[Pinned], None] | None,
    ) -> Run:
        send = (self._producer, place.events, traffic)
        produce(*send, values[:warm], 0)
        first = self._until_applied(contestant, place, traffic, process, warm)
        start_s = first[0].when - (time.time() - (time.monotonic() - process.started))
        process.pause()
        produce(*send, values[warm:], warm)
        if watch is not None:
            watch(process)
        with Sampler([process.pid, self._broker_pid]) as sampler:
            began = time.time()
            process.go_on()
            vectors = self._until_applied(contestant, place, traffic, process, len(traffic))
            ended = vectors[-1].when
            cpu = [
                b - a
                for a, b in zip(
                    sampler.at(began), sampler.at(ended + contestant.settle_s), strict=True
                )
            ]
            peak = memory_mib(process.pid, "VmHWM")
        self._check(contestant, place, traffic, vectors)
        return Run(
            contestant=contestant.name,
            events=len(traffic) - warm,
            seconds=ended - began,
            cpu_s=cpu[0],
            broker_cpu_s=cpu[1],
            peak_mib=peak,
            vectors=len(vectors) - len(first),
            start_s=start_s,
        )

    def _until_applied(
        self, contestant: Contestant, place: Place, traffic: Traffic, process: Pinned, count: int
    ) -> list[Record]:
        """Wait until vectors say that ``count`` events are applied; all vectors so far."""
        topic = contestant.vectors(place)
        ends: list[int] = []
        limit = time.monotonic() + START_S
        while True:
            time.sleep(QUIET_S)
            process.check()
            now = self._topics.ends(topic, place.partitions) if self._has(topic) else []
            if now != ends:
                ends, limit = now, time.monotonic() + STALL_S
                continue
            if any(ends):
                vectors = self._topics.read(topic, None, ends)
                applied = sum(last_vectors(contestant, vectors, "events").values())
                if applied == count:
                    time.sleep(max(0.0, vectors[-1].when + contestant.settle_s - time.time()))
                    return vectors
                if applied > count:
                    raise WrongError(f"{contestant.name} applied {applied} of {count} events")
            if time.monotonic() > limit:
                raise process.error(f"{contestant.name} doesn't get on: {sum(ends)} vectors")

    def _has(self, topic: str) -> bool:
        return topic in self._topics.names()

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
            ends = self._topics.ends(changelog, place.partitions)
            rows = self._topics.read(changelog, None, ends)
            check_windows(contestant, self._model, reference, rows)


def last_vectors(contestant: Contestant, vectors: list[Record], what: str) -> dict[str, Any]:
    """An attribute of each user's last vector."""
    last = {record.key: record.value for record in vectors}
    read = contestant.read_vector
    seen = [read(value) for value in last.values() if value]
    return {vector.user: getattr(vector, what) for vector in seen}


def check_states(contestant: Contestant, reference: Reference, vectors: list[Record]) -> None:
    """Hold the last vectors against the reference.

    Raises:
        WrongError: a user is missing or has another state.
    """
    states = last_vectors(contestant, vectors, "state")
    counts = last_vectors(contestant, vectors, "events")
    worst = 0.0
    for user in np.flatnonzero(reference.counts).tolist():
        name = f"user-{user:06d}"
        if counts.get(name) != reference.counts[user]:
            raise WrongError(
                f"{contestant.name}: {name} has {counts.get(name)} events, not "
                f"{reference.counts[user]}"
            )
        state = np.frombuffer(states[name], np.float16)[:WIDTH].astype(np.float32)
        worst = max(worst, float(np.abs(state - reference.states[user]).max()))
    if not worst <= TOLERANCE:
        raise WrongError(f"{contestant.name}: a state differs by {worst:.4f} from the reference")


def check_windows(
    contestant: Contestant, model: Model, reference: Reference, rows: list[Record]
) -> None:
    """Hold the last stored rows against the reference.

    Raises:
        WrongError: a user is missing or has another window.
    """
    items = np.array(
        [contestant.of_items(name, row) for row, name in enumerate(model.items)], np.int64
    )
    last = {record.key: record.value for record in rows}
    for user in np.flatnonzero(reference.counts).tolist():
        found = contestant.read_row(last.get(f"u/user-{user:06d}".encode()) or b"")
        wanted = items[reference.windows[user]]
        if found is None or found[0] != reference.counts[user] or list(found[1]) != list(wanted):
            raise WrongError(f"{contestant.name}: user {user} has another window in its changelog")
