"""One partition: its log, its store, and what subscribers have; records for it."""

from __future__ import annotations

from streams.effects.effects import Effects, Erased
from streams.log.keys import local_key, user_key
from streams.log.records import Erase, Event, Link, LogRecord, Via
from streams.update.updater import Updater
from streams.windows.stored_value import decode_value
from tests.unit.streams.toy import START_MS, MemoryStore, batch, event, toy_updater

ANN, BOB = user_key("ann"), user_key("bob")


SHOP = local_key("shop", "1")


HOUR_MS = 3_600_000


AT_MS = START_MS + 10 * HOUR_MS


WHOLE = 10**9


def erase(offset: int = 0, *, at_ms: int = AT_MS, refuse: bool = False) -> Erase:
    return Erase(Via("interest.erasure", 0, offset), at_ms, refuse, False, at_ms)


def lift(offset: int) -> Erase:
    return Erase(Via("interest.erasure", 0, offset), AT_MS, False, True, AT_MS)


def link(offset: int, user: str | None, hours: float = 0) -> Link:
    stamp = START_MS + round(hours * HOUR_MS)
    return Link(Via("shop.links", 0, offset), "shop", "1", user, stamp)


def happens(hours: float, offset: int, platform: str = "video") -> Event:
    time_ms = START_MS + round(hours * HOUR_MS)
    return event(time_ms, offset=offset, item=f"i{offset % 9}", platform=platform)


class Line:
    """One partition: its log, its store, what subscribers have, and which ids were swept."""

    def __init__(self) -> None:
        self.updater: Updater = toy_updater(window=8)
        self.store = MemoryStore()
        self.log: list[tuple[str, LogRecord]] = []
        self.read = 0
        self.topic: dict[tuple[int, str], int] = {}
        self.swept: list[Erased] = []

    def send(self, *records: tuple[str, LogRecord]) -> Line:
        self.log += records
        while self.read < len(self.log):
            self.perform(self.compute())
            self.read = len(self.log) - len(self.last.forwards)
        return self

    def compute(self) -> Effects:
        effects = self.updater.process([batch(0, self.read, self.log[self.read :])], self.store)
        self.last = effects
        return effects

    def perform(self, effects: Effects, *, published: bool = True) -> None:
        self.log += effects.forwards
        self.store.write(effects)
        if not published:
            return
        self.swept += effects.erased
        if effects.vectors is not None:
            v = effects.vectors
            for place, target in enumerate(v.targets):
                self.topic[target, v.ids[place]] = int(v.events[place])
        for target, name, _ in effects.tombstones:
            self.topic.pop((target, name), None)

    def crash_before_publishing(self, *records: tuple[str, LogRecord]) -> None:
        """The changelog has the batch, the vectors' topics and the dead letters don't."""
        self.log += records
        start = self.read
        self.perform(self.compute(), published=False)
        self.updater.release()
        self.read = start
        self.send()

    def again(self) -> None:
        """Everything is read again from the beginning."""
        self.updater.release()
        self.read = 0
        self.send()

    def events(self, key: str) -> int:
        row, _ = self.row(key)
        return int(row["counts"].sum())

    def row(self, key: str):  # type: ignore[no-untyped-def]
        return decode_value(self.updater.slab.layout, self.store.values[0, key])
