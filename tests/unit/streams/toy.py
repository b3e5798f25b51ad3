"""A toy bundle and a sequential reference for the update's tests; no ONNX, no numpy tricks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.bundles.catalogue import Catalogue
from streams.effects.effects import Effects, LogBatch
from streams.identity.directory import IdDirectory
from streams.log import codec
from streams.log.records import Event, LogRecord, Via
from streams.update.context import ActiveBundle
from streams.update.updater import Updater
from streams.windows.layout import Layout
from streams.windows.slab import Slab

PLATFORMS = ("video", "shop", "news")
S, D = 8, 8
LOG = "interest.events"
DAY_MS = 86_400_000
START_MS = 1_700_000_000_000


class ToyModel:
    """A recurrence whose result depends on every input and on their order."""

    def step(
        self,
        state: NDArray[np.float16],
        item: NDArray[np.float32],
        platform: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> NDArray[np.float16]:
        decay = 1.0 / (1.0 + np.log1p(dt / 86_400.0))[:, None]
        push = item * (1.0 + platform[:, None] + 0.1 * action[:, None])
        after: NDArray[np.float16] = np.tanh(0.7 * decay * state.astype(np.float32) + push).astype(
            np.float16
        )
        return after

    def migrate(self, state: NDArray[np.float16]) -> NDArray[np.float32]:
        out = state.astype(np.float32)
        return np.stack([out * (k + 1) for k in range(len(PLATFORMS))], axis=1)


class ToyItems:
    """An item table: ``n`` items named i0, i1, ..."""

    def __init__(self, seed: int, n: int = 20) -> None:
        self.id_list = [f"i{k}" for k in range(n)]
        rng = np.random.default_rng(seed)
        self.vectors_in = rng.normal(size=(n + 1, D)).astype(np.float16)


def toy_catalogue() -> Catalogue:
    return Catalogue(PLATFORMS, {name: ToyItems(k) for k, name in enumerate(PLATFORMS)})


class MemoryStore:
    """The state table of a test: values by (partition, key)."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], bytes] = {}

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        return [self.values.get((partition, key)) for key in keys]

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        keys = sorted(key for p, key in self.values if p == partition and key > after)
        return iter([(key, self.values[partition, key]) for key in keys])

    def write(self, effects: Effects) -> None:
        for changes in (effects.declared, effects.changelog):
            for partition, entries in changes.items():
                for key, value in entries:
                    if value is None:
                        self.values.pop((partition, key), None)
                    else:
                        self.values[partition, key] = value


def toy_updater(
    window: int = 8, days: float = 30, capacity: int = 256, bundle: int = 7, linked: bool = True
) -> Updater:
    layout = Layout(len(PLATFORMS), S, window)
    updater = Updater(
        ActiveBundle(
            Slab(layout, bundle, capacity),
            toy_catalogue(),
            ToyModel(),
            IdDirectory(PLATFORMS, {"video": True, "shop": not linked, "news": True}),
            ACTIONS,
        ),
        horizon_ms=int(days * DAY_MS),
        log_topic=LOG,
    )
    updater.columns_from = 1
    return updater


def event(
    time_ms: int,
    *,
    offset: int,
    item: str = "i0",
    platform: str = "video",
    action: str = "click",
    identity: int | None = None,
) -> Event:
    via = Via(f"{platform}.{action}", 0, offset)
    identity = offset + 1 if identity is None else identity
    return Event(via, platform, action, item, time_ms, identity, time_ms + 5)


def batch(partition: int, start: int, records: Sequence[tuple[str, LogRecord]]) -> LogBatch:
    return LogBatch(
        partition,
        list(range(start, start + len(records))),
        [key.encode() for key, _ in records],
        [codec.encode(record) for _, record in records],
    )


def in_batches(
    updater: Updater,
    store: MemoryStore,
    records: Sequence[tuple[str, LogRecord]],
    sizes: Sequence[int],
    *,
    forget: bool = False,
) -> Iterator[Effects]:
    """Effects of a log that is processed, and stored, in batches of these sizes in a loop."""
    start, turn = 0, cycle(sizes)
    while start < len(records):
        part = records[start : start + next(turn)]
        effects = updater.process([batch(0, start, part)], store)
        store.write(effects)
        start += len(part)
        if forget:
            updater.release()
        yield effects


@dataclass
class ReferenceUser:
    """One user's history, event by event, with the rules written out plainly."""

    window: int
    horizon_ms: int
    accepted: list[Event] = field(default_factory=list)
    base: int = 0
    ring_start: int = 0
    forgotten: int = 0

    def arrive(self, new: Event) -> str:
        times = [e.time_ms for e in self.accepted]
        known = [e for e in self.in_window() if e.time_ms >= times[-1] - self.horizon_ms]
        if new.event_hash in {e.event_hash for e in known}:
            return "duplicate"
        if not times or new.time_ms >= times[-1]:
            if times and new.time_ms - times[-1] > self.horizon_ms:
                self.base = self.ring_start = len(times)
            self.accepted.append(new)
        else:
            base_ms = times[self.base - 1] if self.base else times[0] if self.forgotten else -1
            if new.time_ms < times[-1] - self.horizon_ms or new.time_ms < base_ms:
                return "late"
            self.accepted.insert(bisect_right(times, new.time_ms, lo=self.base), new)
        if len(self.accepted) - self.base > self.window:
            self.base += self.window // 2
        return "applied"

    def in_window(self) -> list[Event]:
        return self.accepted[max(self.ring_start, len(self.accepted) - self.window) :]

    def renew(self) -> None:
        """Another bundle: what isn't in the window any more has never been."""
        times = [e.time_ms for e in self.accepted]
        first = max(self.ring_start, len(times) - self.window)
        while first < self.base and times[first] < times[-1] - self.horizon_ms:
            first += 1
        self.forgotten += first
        self.accepted = self.accepted[first:]
        self.base = self.ring_start = 0

    def state(self, model: ToyModel, catalogue: Catalogue) -> NDArray[np.float16]:
        state = np.zeros((1, S), np.float16)
        before: int | None = None
        for e in self.accepted:
            platform = PLATFORMS.index(e.platform)
            items = catalogue.items[platform]
            item = items.get(e.item) or items.unknown(e.item)
            seconds = 0.0 if before is None else (e.time_ms - before) / 1000.0
            state = model.step(
                state,
                items.gather(np.array([item.row])).astype(np.float32),
                np.array([platform]),
                np.array([ACTIONS.index(e.action)]),
                np.array([seconds], np.float32),
            )
            before = e.time_ms
        last: NDArray[np.float16] = state[0]
        return last
