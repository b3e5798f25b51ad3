"""What one run is: a world, the platforms' records, and a list of moves. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.simulation.toy import DAY_MS, START_MS

NOW_MS = START_MS + 2000 * DAY_MS
"""The true time of every run."""

SOURCES = (("video", 0), ("video", 1), ("shop", 0), ("shop", 1), ("shop.links", 0))
"""Partitions that platforms write from the beginning: topic, partition."""
WISHES = (("consent", 0), ("erasure", 0))
"""Those beside them where users say what they allow, and are erased."""


@dataclass(frozen=True, slots=True)
class Input:
    """One record that a platform sends."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens; ``a`` chooses among what is possible then."""

    kind: str
    worker: int
    a: int

    def __str__(self) -> str:
        return f"{self.kind}({self.worker},{self.a})"


@dataclass(frozen=True, slots=True)
class Config:
    """The world of a schedule.

    Attributes:
        partitions: partitions of the log.
        workers: worker processes.
        window: events kept per user.
        capacity: users in memory.
        batch: records computed together.
        record_batch: records of one Kafka record batch.
        rocks: the local store survives a crash.
        skew_ms: each worker's clock error.
        linked: users have links (else: more events than the window holds, late ones too).
        zombies: workers lose their partitions unawares, and their sends arrive late.
        swaps: bundles are announced while it runs.
        wishes: users say what they allow, and are erased.
        refuse: an erased id's later events don't count.
    """

    partitions: int
    workers: int
    window: int
    capacity: int
    batch: int
    record_batch: int
    rocks: bool
    skew_ms: tuple[int, ...]
    linked: bool
    zombies: bool
    swaps: bool = False
    wishes: bool = False
    refuse: bool = False


def sources_of(config: Config) -> list[tuple[str, int]]:
    """Partitions that are read from the beginning, but for the log's."""
    return [*SOURCES, *(WISHES if config.wishes else ())]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that happens in one run."""

    seed: int
    config: Config
    inputs: list[Input] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    def but(
        self, *, inputs: list[Input] | None = None, moves: list[Move] | None = None
    ) -> Schedule:
        """The schedule with other inputs or moves."""
        return replace(
            self,
            inputs=self.inputs if inputs is None else inputs,
            moves=self.moves if moves is None else moves,
        )

    def describe(self) -> str:
        """For people: everything needed to follow the run by hand."""
        lines = [f"seed {self.seed}", str(self.config)]
        lines += [f"  {n}: {i.topic}/{i.partition} {i.value!r}" for n, i in enumerate(self.inputs)]
        lines.append("  " + " ".join(map(str, self.moves)))
        return "\n".join(lines)
