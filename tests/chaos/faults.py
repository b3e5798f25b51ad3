"""The kinds of faults, each a function that strikes, waits as long as it lasts, and heals.

A function takes the arena and a generator of random numbers of its own, and says in words what
it did. Which kinds strike in which order is drawn from the seed alone; which worker or broker is
hit depends also on which are free at that moment.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.kafka import KafkaServer, KafkaServerError
from tests.chaos.systems import disk
from tests.chaos.systems.cluster import Brokers
from tests.chaos.systems.crew import Crew, clear
from tests.chaos.systems.systems import System

POISONED: Final = (500, 2000)
FLIPPED: Final = 64
STARTS: Final = 3
ANNOUNCED_S: Final = 60.0
"""Longest that an announcement waits for a broker."""
HASTE: Final = 0.15
"""Share of the faults that the next one doesn't wait for."""


@dataclass
class Arena:
    """What the faults strike.

    Attributes:
        session_s: session time-out of the workers.
    """

    brokers: Brokers
    crew: Crew
    system: System
    session_s: float


Strike = Callable[[Arena, random.Random], str]


def worker_killed(arena: Arena, rng: random.Random) -> str:
    """kill −9; it is back before the broker notices, or after."""
    gone_s = rng.choice((rng.uniform(0, 2), arena.session_s + rng.uniform(0, 3)))
    with arena.crew.one(rng) as slot:
        arena.crew.kill(slot.name)
        time.sleep(gone_s)
        arena.crew.start(slot.name)
        return f"{slot.name}, started again {gone_s:.1f} s later"


def worker_paused(arena: Arena, rng: random.Random) -> str:
    """SIGSTOP beyond the session time-out, then SIGCONT."""
    asleep_s = arena.session_s * rng.uniform(1.2, 2.0)
    with arena.crew.one(rng) as slot:
        if not slot.runs:
            slot.worker.start()
        os.kill(slot.worker.process.pid, signal.SIGSTOP)
        try:
            time.sleep(asleep_s)
        finally:
            os.kill(slot.worker.process.pid, signal.SIGCONT)
        return f"{slot.name} for {asleep_s:.1f} s"


def worker_stopped(arena: Arena, rng: random.Random) -> str:
    """SIGTERM, and a successor at once: a rolling restart."""
    with arena.crew.one(rng) as slot:
        code = arena.crew.terminate(slot.name)
        arena.crew.start(slot.name)
        return f"{slot.name} ended with {code}, started again"


def worker_joins(arena: Arena, rng: random.Random) -> str:
    """One more worker."""
    with arena.crew.one(rng, running=False) as slot:
        arena.crew.start(slot.name)
        return slot.name


def worker_leaves(arena: Arena, rng: random.Random) -> str:
    """SIGTERM, and nobody takes its place."""
    with arena.crew.one(rng) as slot:
        code = arena.crew.terminate(slot.name)
        slot.wanted = False
        return f"{slot.name} ended with {code}"


def broker_killed(arena: Arena, rng: random.Random) -> str:
    """kill −9 of one of three brokers."""
    gone_s = rng.uniform(1, 6)
    with arena.brokers.down:
        arena.brokers.settle()
        number = rng.choice(list(arena.brokers.cluster.nodes))
        node = arena.brokers.cluster.nodes[number]
        node.kill()
        time.sleep(gone_s)
        _bring_back(node)
        return f"broker {number}, started again {gone_s:.1f} s later"


def _bring_back(node: KafkaServer) -> None:
    """Start a node again; on a machine without any time left that may need a second try."""
    for tries_left in range(STARTS, 0, -1):
        try:
            node.start()
            return
        except KafkaServerError:
            if tries_left == 1:
                raise


def leader_moved(arena: Arena, rng: random.Random) -> str:
    """Some partitions get another leader, internal topics among them."""
    with arena.brokers.down:
        count = arena.brokers.move_leaders(rng.uniform(0.05, 0.4), rng.randrange(1000))
        return f"of {count} partitions"


def only_broker_restarted(arena: Arena, rng: random.Random) -> str:
    """The one node of the cluster: in order, or by kill −9."""
    with arena.brokers.down:
        (node,) = arena.brokers.cluster.nodes.values()
        hard = rng.random() < 0.5
        node.kill() if hard else node.stop()
        gone_s = rng.uniform(0, 4)
        time.sleep(gone_s)
        _bring_back(node)
        return f"{'killed' if hard else 'stopped'}, started again {gone_s:.1f} s later"


def store_lost(arena: Arena, rng: random.Random) -> str:
    """The worker dies, and its RocksDB folder with it."""
    with arena.crew.one(rng) as slot:
        arena.crew.kill(slot.name)
        clear(slot.state)
        arena.crew.start(slot.name)
        return slot.name


def store_corrupted(arena: Arena, rng: random.Random) -> str:
    """The worker dies, and a file of its store comes back with other bytes, or cut off."""
    with arena.crew.one(rng) as slot:
        arena.crew.kill(slot.name)
        files = [f for f in slot.state.rglob("*") if _matters(f)]
        what = corrupt(rng.choice(sorted(files)), rng) if files else "no files there"
        arena.crew.start(slot.name)
        return f"{slot.name}: {what}"


def _matters(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    return path.suffix in {".sst", ".log"} or path.name.startswith(("MANIFEST", "CURRENT"))


def corrupt(path: Path, rng: random.Random) -> str:
    """Overwrite bytes somewhere in a file, or cut it; says which."""
    size = path.stat().st_size
    name = f"{path.parent.name}/{path.name}"
    with path.open("r+b") as file:
        if rng.random() < 0.25:
            file.truncate(rng.randrange(size))
            return f"{name} cut"
        file.seek(rng.randrange(max(1, size - FLIPPED)))
        file.write(rng.randbytes(min(FLIPPED, size)))
    return f"{FLIPPED} bytes of {name} overwritten"


def disk_full(arena: Arena, rng: random.Random) -> str:
    """The disk of a worker's store has no byte left for a while."""
    full_s = rng.uniform(3, 10)
    with arena.crew.one(rng) as slot:
        written = disk.fill(slot.state)
        time.sleep(full_s)
        disk.free(slot.state)
        if not slot.runs:
            arena.crew.start(slot.name)
            return f"{slot.name}, {written >> 20} MiB for {full_s:.1f} s; it ended meanwhile"
        return f"{slot.name}, {written >> 20} MiB for {full_s:.1f} s"


def network_cut(arena: Arena, rng: random.Random) -> str:
    """Nothing passes between a worker and all brokers; or all its connections break."""
    with arena.crew.one(rng) as slot:
        if rng.random() < 0.25:
            arena.brokers.proxies.reset(slot.name)
            return f"{slot.name}, every connection reset"
        cut_s = arena.session_s * rng.uniform(0.3, 1.8)
        arena.brokers.proxies.cut(slot.name)
        try:
            time.sleep(cut_s)
        finally:
            arena.brokers.proxies.heal(slot.name)
        return f"{slot.name} for {cut_s:.1f} s"


def poison_bulk(arena: Arena, rng: random.Random) -> str:
    """Many records at once that nobody can use."""
    count = rng.randrange(*POISONED)
    arena.system.poison(arena.brokers.bootstrap, rng, count)
    return f"{count} records"


def bundle_swapped(arena: Arena, rng: random.Random) -> str:
    """Another bundle is announced to all workers, as soon as a broker is there to take it."""
    deadline = time.monotonic() + ANNOUNCED_S
    while True:
        try:
            return arena.system.swap(arena.brokers.bootstrap)
        except RuntimeError:  # the only broker is down just now
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
