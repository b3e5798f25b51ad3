"""Which faults strike, in which order: drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.faults import (
    HASTE,
    Strike,
    broker_killed,
    bundle_swapped,
    disk_full,
    leader_moved,
    network_cut,
    only_broker_restarted,
    poison_bulk,
    store_corrupted,
    store_lost,
    worker_joins,
    worker_killed,
    worker_leaves,
    worker_paused,
    worker_stopped,
)


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        weight: how often it is drawn, against the others.
        nodes: clusters in which it makes sense.
        stock: whether stock Faust can be struck by it.
    """

    strike: Strike
    weight: float
    nodes: tuple[int, ...] = (1, 3)
    stock: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "worker_killed": Kind(worker_killed, 4),
    "worker_paused": Kind(worker_paused, 2),
    "worker_stopped": Kind(worker_stopped, 2),
    "worker_joins": Kind(worker_joins, 2),
    "worker_leaves": Kind(worker_leaves, 2),
    "broker_killed": Kind(broker_killed, 2, (3,)),
    "leader_moved": Kind(leader_moved, 1.5, (3,)),
    "only_broker_restarted": Kind(only_broker_restarted, 6, (1,)),
    "store_lost": Kind(store_lost, 1.5),
    "store_corrupted": Kind(store_corrupted, 1.5),
    "disk_full": Kind(disk_full, 1.5),
    "network_cut": Kind(network_cut, 2),
    "poison_bulk": Kind(poison_bulk, 1, stock=False),
    "bundle_swapped": Kind(bundle_swapped, 1, stock=False),
}


@dataclass(frozen=True)
class Drawn:
    """One fault to come.

    Attributes:
        hasty: the next one doesn't wait until this one is over.
        pause_s: rest before the next one.
        seed: of its own random choices.
    """

    kind: str
    hasty: bool
    pause_s: float
    seed: int


def draw(
    rng: random.Random,
    count: int,
    kinds: Sequence[str],
    *,
    running: int,
    slots: int,
    haste: float = HASTE,
) -> list[Drawn]:
    """Faults in order; workers join and leave within one to ``slots``.

    Args:
        running: workers at the beginning.
        haste: share of the faults that the next one doesn't wait for.
    """
    drawn: list[Drawn] = []
    while len(drawn) < count:
        weights = [KINDS[kind].weight for kind in kinds]
        (kind,) = rng.choices(kinds, weights)
        change = {"worker_joins": 1, "worker_leaves": -1}.get(kind, 0)
        if not 1 <= running + change <= slots:
            continue
        running += change
        hasty = rng.random() < haste and len(drawn) < count - 1
        drawn.append(Drawn(kind, hasty, rng.uniform(0.5, 3.0), rng.getrandbits(32)))
    return drawn
