"""A broker as the simulator needs it: partitions, compaction, producer epochs, one group."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from streams.intake.dead_letters.dead_letter import DeadLetter, letter_key
from streams.log.partition import partition_of
from tests.simulation.toy import BUNDLES

Key = bytes | None
Record = tuple[int, Key, bytes | None, int]
"""offset, key, value, timestamp"""
TP = tuple[str, int]
"""topic, partition"""


class FencedError(Exception):
    """A producer wrote with an epoch that a later one has taken over."""


@cache
def partition_for(key: bytes, partitions: int) -> int:
    """Partition of a key, as every producer of the service chooses it."""
    return partition_of(key, partitions)


@dataclass(slots=True)
class Log:
    """One partition: records in offset order, with gaps where compaction has been."""

    records: list[Record] = field(default_factory=list)
    end: int = 0
    epochs: dict[str, int] = field(default_factory=dict)
    """Epoch of each fenced producer that this partition has heard of."""
    history: list[Record] = field(default_factory=list)
    """Everything ever appended, for the checks."""

    def append(
        self, producer: str, epoch: int, records: list[tuple[Key, bytes | None, int]]
    ) -> int:
        """Append a record batch; its first offset.

        Raises:
            FencedError: the producer's epoch is older than one that the partition knows.
        """
        self.mark(producer, epoch)
        first = self.end
        for key, value, stamp in records:
            record = (self.end, key, value, stamp)
            self.records.append(record)
            self.history.append(record)
            self.end += 1
        return first

    def mark(self, producer: str, epoch: int) -> None:
        """Make a producer's epoch known (the marker at a transaction's end does it)."""
        known = self.epochs.get(producer, -1)
        if epoch < known:
            raise FencedError(f"{producer}: epoch {epoch}, the partition knows {known}")
        self.epochs[producer] = epoch

    def read(self, start: int, count: int) -> list[Record]:
        """Up to ``count`` records from an offset on."""
        records = self.records
        if len(records) == self.end:  # no gaps
            return records[start : start + count]
        return [r for r in records if r[0] >= start][:count]

    def compact(self, *, drop_tombstones: bool) -> None:
        """Keep the last record of each key; deletions go too where nobody needs them."""
        last: dict[Key, Record] = {}
        for record in self.records:
            last.pop(record[1], None)
            last[record[1]] = record
        self.records = [r for r in last.values() if r[2] is not None or not drop_tombstones]


@dataclass(slots=True)
class Member:
    """A member of the group: one life of one worker.

    Attributes:
        joined: it has let go of its partitions and waits for new ones.
        generation: the last generation that it took part in.
    """

    joined: bool = False
    generation: int = -1


@dataclass(slots=True)
class Group:
    """The consumer group: who owns what, since when."""

    generation: int = 0
    preparing: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    assignment: dict[str, list[TP]] = field(default_factory=dict)
    committed: dict[TP, int] = field(default_factory=dict)

    def enter(self, member: str) -> None:
        """Somebody comes (again) and waits."""
        self.members[member] = Member(joined=True)
        self.preparing = True

    def leave(self, member: str) -> None:
        """Somebody is gone: its session has timed out."""
        if self.members.pop(member, None) is not None:
            self.preparing = True

    def knows(self, member: str, generation: int) -> bool:
        """Whether a member's requests are still taken."""
        known = self.members.get(member)
        return known is not None and known.generation == generation == self.generation

    def complete(self, tps: list[TP], turn: int) -> None:
        """Everybody has joined: a new generation with a new assignment."""
        names = list(self.members)
        self.generation += 1
        self.preparing = False
        self.assignment = {name: [] for name in names}
        for place, tp in enumerate(tps):
            self.assignment[names[(place + turn) % len(names)]].append(tp)
        for member in self.members.values():
            member.joined, member.generation = False, self.generation

    def commit(self, member: str, generation: int, offsets: dict[TP, int]) -> bool:
        """Take offsets; False where the member isn't of this generation any more."""
        known = self.members.get(member)
        # While a rebalance is prepared, members of the generation may still commit.
        if known is None or known.generation != generation or generation != self.generation:
            return False
        self.committed.update(offsets)
        return True


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter.

    Attributes:
        letter: what it says.
        ends: how far each partition of the log was when it was first written.
        by_zombie: its writer had lost the partition unawares, which nothing fences.
    """

    letter: DeadLetter
    ends: dict[TP, int]
    by_zombie: bool


@dataclass
class Broker:
    """All topics and the group."""

    logs: dict[TP, Log] = field(default_factory=dict)
    group: Group = field(default_factory=Group)
    epochs: dict[str, int] = field(default_factory=dict)
    """Last epoch given to each transactional id."""
    vectors: dict[tuple[str, str], object] = field(default_factory=dict)
    """What a reader of the compacted vector topics finds: (target, id) → last value."""
    vector_epochs: dict[str, int] = field(default_factory=dict)
    bundles: list[int] = field(default_factory=lambda: [BUNDLES[0]])
    """Tags of the announced bundles; the last is in force."""
    letters: set[tuple[str, int, int]] = field(default_factory=set)
    """Source positions that were ever in the dead letters."""
    held: dict[bytes, Letter] = field(default_factory=dict)
    """What a reader of the compacted dead letters finds, by their keys."""
    firsts: dict[bytes, Letter] = field(default_factory=dict)
    """What a rightful owner wrote first under each key."""

    def write_letter(self, letter: DeadLetter, *, by_zombie: bool) -> None:
        """Write a dead letter, perhaps again."""
        self.letters.add((letter.topic, letter.partition, letter.offset))
        key, ends = letter_key(letter), {tp: log.end for tp, log in self.logs.items()}
        written = Letter(letter, ends, by_zombie)
        self.held[key] = written if by_zombie else self.firsts.setdefault(key, written)

    def log(self, tp: TP) -> Log:
        """A partition."""
        found = self.logs.get(tp)
        if found is None:
            found = self.logs[tp] = Log()
        return found

    def publish(self, producer: str, epoch: int, key: tuple[str, str], value: object) -> None:
        """Write one vector (None: a tombstone).

        Raises:
            FencedError: see :meth:`Log.append`.
        """
        self.mark_vectors(producer, epoch)
        if value is None:
            self.vectors.pop(key, None)
        else:
            self.vectors[key] = value

    def mark_vectors(self, producer: str, epoch: int) -> None:
        """Make a producer's epoch known to the vectors' partitions."""
        known = self.vector_epochs.get(producer, -1)
        if epoch < known:
            raise FencedError(f"{producer}: epoch {epoch}, the topic knows {known}")
        self.vector_epochs[producer] = epoch

    def take_over(self, producer: str) -> int:
        """A new epoch for a transactional id."""
        epoch = self.epochs.get(producer, -1) + 1
        self.epochs[producer] = epoch
        return epoch
