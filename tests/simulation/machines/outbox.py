"""What a simulated process sends: record batches in lanes, each partition's in order.

A lane is one producer's way to one partition, as with an idempotent producer: the next record
batch arrives after the one before, its acknowledgement may get lost, and a fenced producer's
is refused.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from streams.effects.effects import Effects
from streams.effects.order import Part
from streams.intake.dead_letters.dead_letter import DeadLetter, concerns
from streams.log import codec
from streams.update.source_marks import OWNER
from tests.simulation.machines.broker import TP, Broker, FencedError, Key, partition_for
from tests.simulation.schedules.schedule import Config
from tests.simulation.toy import EVENTS, PLATFORMS

CHANGELOG = "changelog"
VECTORS = "vectors"
LETTERS = "letters"
Outgoing = tuple[Key, bytes | None, int]
Lane = tuple[str, TP]
"""Producer and partition."""


class Ended(Exception):
    """The process has ended itself, as a worker does whose batch failed."""


@dataclass(slots=True)
class Ticket:
    """Acknowledgements under way of one phase."""

    waiting: int = 0
    last: dict[int, int | None] = field(default_factory=dict)
    """Changelog partition → last offset (None: acknowledged without one)."""


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


class Outbox:
    """The producers of one life of a worker.

    Args:
        name: the life's own producer; partitions of the log have one each where fencing is on.

    Attributes:
        epochs: producer epoch of each partition that was taken over.
        lanes: what is under way.
    """

    def __init__(self, name: str, config: Config, broker: Broker, *, fencing: bool) -> None:
        self.name, self.config, self.broker, self.fencing = name, config, broker, fencing
        self.epochs: dict[int, int] = {}
        self.lanes: dict[Lane, deque[Parcel]] = {}

    def fence(self, partition: int, step: int) -> None:
        """A new producer epoch, then a marker in the vectors, then a claim in the changelog.

        Raises:
            Ended: somebody else has taken the partition over meanwhile.
        """
        producer = f"p{partition}"
        try:
            if step == 0:
                self.epochs[partition] = self.broker.take_over(producer)
            elif step == 1:
                self.broker.mark_vectors(producer, self.epochs[partition])
            else:
                claim = (f"{OWNER}{partition}".encode(), self.name.encode(), 0)
                changelog = self.broker.log((CHANGELOG, partition))
                changelog.append(producer, self.epochs[partition], [claim])
        except FencedError as error:
            raise Ended(str(error)) from error

    def deliver(self, key: Lane, a: int) -> None:
        """The next record batch of a lane arrives; its acknowledgement may get lost.

        Raises:
            Ended: the producer is fenced.
        """
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

    # -- what goes out

    def send(self, part: Part, effects: Effects, ticket: Ticket) -> None:
        """One part of an update's effects."""
        if part is Part.FORWARDS:
            self._send_forwards(effects, ticket)
        elif part in (Part.DECLARED, Part.CHANGELOG):
            changes = effects.declared if part is Part.DECLARED else effects.changelog
            for partition, entries in changes.items():
                records: list[Outgoing] = [(key.encode(), value, 0) for key, value in entries]
                self._post(*self._producer(partition), (CHANGELOG, partition), records, ticket)
        elif part is Part.SWEEP:
            self._sweep(effects, ticket)
        elif part is Part.VECTORS:
            self._send_vectors(effects, ticket)
        elif part is Part.TOMBSTONES:
            for target, identity, partition in effects.tombstones:
                key = (PLATFORMS[target], identity)
                self._post_vectors(partition, [(key, None)], ticket)

    def post_log(self, out: dict[int, list[Outgoing]], ticket: Ticket) -> None:
        """Records for the log, by its partitions."""
        for to, records in out.items():
            self._post(self.name, 0, (EVENTS, to), records, ticket)

    def write_letters(self, letters: list[DeadLetter], *, by_zombie: bool) -> None:
        """Dead letters of intake."""
        for letter in letters:
            self.broker.write_letter(letter, by_zombie=by_zombie)

    def _send_forwards(self, effects: Effects, ticket: Ticket) -> None:
        out: dict[int, list[Outgoing]] = {}
        for key, record in effects.forwards:
            raw = key.encode()
            to = partition_for(raw, self.config.partitions)
            out.setdefault(to, []).append((raw, codec.encode(record), record.source_ms))
        self.post_log(out, ticket)

    def _sweep(self, effects: Effects, ticket: Ticket) -> None:
        """Read the dead letters, take back those that hold an erased id."""
        held: list[Outgoing] = [
            (key, None, 0)
            for key, known in self.broker.held.items()
            if any(concerns(known.letter, *erased) for erased in effects.erased)
        ]
        self._post(self.name, 0, (LETTERS, 0), held, ticket)

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

    def _producer(self, partition: int) -> tuple[str, int]:
        if self.fencing:
            return f"p{partition}", self.epochs[partition]
        return self.name, 0

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
