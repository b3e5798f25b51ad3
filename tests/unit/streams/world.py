"""A tiny Kafka around the update: log, store, output topic, crashes; and what must come out.

The update's forwarded records go back into the log by the partition of their key, as the
worker does. The expected owner of every event is kept by the plain rule: what happened under
a local id belongs to whom the id belonged to then, or to whom it's linked next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.effects.effects import Effects
from streams.identity.directory import IdDirectory
from streams.log.keys import USER, local_key, split_local_key, user_key
from streams.log.partition import partition_of
from streams.log.records import Event, Link, LogRecord, Via
from streams.update.context import ActiveBundle
from streams.update.updater import Updater
from streams.windows.layout import Layout
from streams.windows.rewind import events_behind
from streams.windows.slab import Slab, SlabFullError
from tests.unit.streams.toy import (
    DAY_MS,
    LOG,
    PLATFORMS,
    START_MS,
    MemoryStore,
    ReferenceUser,
    S,
    ToyModel,
    batch,
    toy_catalogue,
)

LINKED = ("shop", "news")
SHARES = {"video": True, "shop": False, "news": False}


@dataclass
class Performing:
    """Effects that the world hasn't seen yet, and how far the log is read with them."""

    effects: Effects
    batch: int
    positions: list[int]


@dataclass
class World:
    """One worker, its log, its store and what subscribers see.

    Attributes:
        logs: records of each log partition.
        position: how far each partition is read.
        committed: how far after a crash it's read for certain.
        topic: last vector of each (target, id), with the number of events behind it.
        owner: local key → user, by the log's order.
        history: key → the events that belong to it.
        sent: source topic → its records with their keys, in source order.
    """

    partitions: int
    window: int = 64
    capacity: int = 64
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        n = self.partitions
        self.logs: list[list[tuple[str, LogRecord]]] = [[] for _ in range(n)]
        self.position, self.committed = [0] * n, [0] * n
        self.topic: dict[tuple[int, str], tuple[bytes, int]] = {}
        self.owner: dict[str, str] = {}
        self.history: dict[str, list[Event]] = defaultdict(list)
        self.sent: dict[str, list[tuple[str, LogRecord]]] = defaultdict(list)
        self.under_way: Performing | None = None
        self.updater = Updater(
            ActiveBundle(
                Slab(Layout(len(PLATFORMS), S, self.window), 7, self.capacity),
                toy_catalogue(),
                ToyModel(),
                IdDirectory(PLATFORMS, SHARES),
                ACTIONS,
            ),
            horizon_ms=30 * DAY_MS,
            log_topic=LOG,
        )
        self.updater.columns_from = 2  # both ways through a batch
        actions = [f"{p}.{a}" for p in PLATFORMS for a in ACTIONS]
        self.updater.know_sources([*actions, *(f"{p}.links" for p in LINKED)])

    # --- what comes in

    def append(self, key: str, record: LogRecord) -> None:
        self.logs[partition_of(key.encode(), self.partitions)].append((key, record))

    def event(self, key: str, platform: str, item: int, second: int) -> None:
        """A new event; its time is unique, so that there is one right order."""
        number = sum(map(len, self.sent.values()))
        via = Via(f"{platform}.click", 0, len(self.sent[f"{platform}.click"]))
        time_ms = START_MS + 1000 * second + number
        new = Event(via, platform, "click", f"i{item}", time_ms, 1 + number, time_ms)
        self._send(key, new)
        user = self.owner.get(key)
        self.history[key if user is None else user_key(user)].append(new)

    def link(self, platform: str, local_id: str, user: str | None) -> None:
        """A link, a move or (None) an unlink."""
        key = local_key(platform, local_id)
        via = Via(f"{platform}.links", 0, len(self.sent[f"{platform}.links"]))
        self._send(key, Link(via, platform, local_id, user, START_MS))
        if user is None:
            self.owner.pop(key, None)
        else:
            self.owner[key] = user
            self.history[user_key(user)] += self.history.pop(key, [])

    def _send(self, key: str, record: LogRecord) -> None:
        self.sent[record.via.topic].append((key, record))
        self.append(key, record)

    def repeat(self, topic: str, last: int) -> None:
        """Intake crashed: the newest records of a source come once more."""
        for key, record in self.sent[topic][-last:]:
            self.append(key, record)

    # --- the worker

    def compute(self, sizes: Sequence[int]) -> Performing:
        """Read up to ``sizes[p]`` records of each partition p and apply them."""
        batches = []
        for partition, size in enumerate(sizes):
            start = self.position[partition]
            records = self.logs[partition][start : start + size]
            if records:
                batches.append(batch(partition, start, records))
                self.position[partition] = start + len(records)
        effects = self.updater.process(batches, self.store)
        return Performing(effects, self.updater.slab.batch, list(self.position))

    def step(self, sizes: Sequence[int], *, ahead: bool = False) -> None:
        """Compute a batch and perform it; ``ahead``: only after the next is computed."""
        new = self.compute(sizes)
        self.settle()
        self.under_way = new
        if not ahead:
            self.settle()

    def settle(self) -> None:
        """Perform what is under way, as far as the commit."""
        if self.under_way is not None:
            self.perform(self.under_way)
            self.updater.slab.flushed(self.under_way.batch)
            self.committed = self.under_way.positions
            self.under_way = None

    def perform(
        self,
        result: Performing,
        forwards: int = 10**9,
        changes: int = 10**9,
        *,
        published: bool = False,
    ) -> None:
        """Let the world see effects, as far as it gets.

        Args:
            result: the effects.
            forwards: so many forwarded records.
            changes: so many changelog entries of each partition.
            published: the vectors go out even if the changelog is cut: they're sent together.
        """
        effects = result.effects
        for key, record in effects.forwards[:forwards]:
            self.append(key, record)
        if forwards < len(effects.forwards):
            return
        cut = {p: entries[:changes] for p, entries in effects.changelog.items()}
        whole = all(len(cut[p]) == len(entries) for p, entries in effects.changelog.items())
        self.store.write(Effects(changelog=cut))
        if whole or published:
            self._publish(effects)

    def _publish(self, effects: Effects) -> None:
        if effects.vectors is not None:
            v = effects.vectors
            for target, name, vector, events in zip(
                v.targets, v.ids, v.vectors, v.events.tolist(), strict=True
            ):
                self.topic[target, name] = vector.tobytes(), events
        for target, name, _ in effects.tombstones:
            self.topic.pop((target, name), None)

    def crash(
        self, sizes: Sequence[int], forwards: int, changes: int, *, published: bool = False
    ) -> None:
        """Fail while a batch's effects go out; start again from the commit."""
        self.settle()
        self.perform(self.compute(sizes), forwards, changes, published=published)
        self.restart(self.committed)

    def restart(self, position: Sequence[int]) -> None:
        """A new worker: nothing in memory, the log from ``position``."""
        self.under_way = None
        self.updater.release()
        self.position = list(position)
        self.committed = list(position)

    def evict(self, users: int) -> None:
        """That many strangers come and go: who is stored makes room for them."""
        self.updater.slab.begin_batch()
        strangers = [f"u/stranger-{n}" for n in range(users)]
        with suppress(SlabFullError):
            for key in strangers:
                self.updater.slab.insert(key, 0, None)
        for key in strangers:
            self.updater.slab.remove(key)

    def drain(self, size: int = 7) -> None:
        """Read the log to its end, forwarded records too."""
        self.settle()
        for _ in range(10_000):
            if all(at == len(of) for at, of in zip(self.position, self.logs, strict=True)):
                return
            self.step([size] * self.partitions)
        raise AssertionError("the log never ends: records are forwarded in a circle")

    # --- what must come out

    def row(self, key: str) -> int | None:
        """Slab row of a user, loaded from the store."""
        partition = partition_of(key.encode(), self.partitions)
        value = self.store.values.get((partition, key))
        if value is None:
            return None
        found = self.updater.slab.find(key)
        return self.updater.slab.insert(key, partition, value) if found is None else found

    def check(self, *, fits: bool = True) -> None:
        """States, identities and published vectors are those of the whole log.

        Args:
            fits: every history fits its window, so there is one right state.
        """
        self.drain()
        self.updater.release()
        self.updater.slab.begin_batch()
        expected: dict[tuple[int, str], tuple[bytes, int]] = {}
        model, slab = ToyModel(), self.updater.slab
        for key in {*self.history, *map(user_key, self.owner.values())}:
            local_ids = self._check_identity(key)
            events = sorted(self.history.get(key, []), key=lambda e: e.time_ms)
            if not events:
                continue
            row = self.row(key)
            assert row is not None, f"{key} was lost"
            state, counted = slab.rows["current"][row], events_behind(slab, row)
            if fits:
                right = ReferenceUser(self.window, 0, events).state(model, toy_catalogue())
                assert counted == len(events), key
                assert state.tobytes() == right.tobytes(), key
                assert slab.newest_ms[row] == events[-1].time_ms, key
            assert 1 <= counted <= len(events), key
            expected |= _vectors(key, local_ids, model.migrate(state[None])[0], counted)
        assert self.topic == expected

    def _check_identity(self, key: str) -> list[tuple[str, str]]:
        mine = [split_local_key(k) for k, user in self.owner.items() if "u/" + user == key]
        row = self.row(key) if key.startswith(USER) else None
        known = self.updater.slab.local_ids.get(row, []) if row is not None else []
        assert sorted(known) == sorted(mine), key
        return mine


def _vectors(
    key: str, local_ids: list[tuple[str, str]], interests: NDArray[np.float32], events: int
) -> dict[tuple[int, str], tuple[bytes, int]]:
    recipients = IdDirectory(PLATFORMS, SHARES).of(key, local_ids)
    return {(r.target, r.id): (interests[r.target].tobytes(), events) for r in recipients}
