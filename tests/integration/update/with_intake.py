"""Sources, intake, one partition of the log, and the update behind it."""

from __future__ import annotations

import json
from typing import Any

from streams.effects.effects import Effects, LogBatch
from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.log import codec
from streams.log.keys import user_key
from streams.settings import Settings, parse_settings
from streams.windows.rewind import events_behind
from tests.unit.streams.toy import DAY_MS, PLATFORMS, START_MS, MemoryStore, toy_updater

NOW_MS = START_MS + 400 * DAY_MS


ANN, BOB = user_key("ann"), user_key("bob")


HOUR_MS = 3_600_000


def settings() -> Settings:
    video = {"any": "video", "click": "video.click", "purchase": "video.purchase"}
    return parse_settings(
        {
            "platforms": [
                {"name": "video", "topics": video},
                {"name": "shop", "topics": {"any": "shop"}, "ids": "linked"},
                {"name": "news", "topics": {"any": "news"}},
            ]
        }
    )


class Line:
    """Sources, one partition of the log, and the update behind it."""

    def __init__(self, window: int = 8) -> None:
        self.updater, self.store = toy_updater(window), MemoryStore()
        self.updater.know_sources(settings().source_topics())
        self.intake, self.sources = Intake(settings()), dict[tuple[str, int], list[Any]]()
        self.records: list[tuple[bytes, bytes]] = []
        self.read, self.stamp_ms = 0, NOW_MS
        self.topic: dict[tuple[str, str], int] = {}
        self.messages: dict[tuple[str, str], tuple[Any, ...]] = {}

    def send(self, topic: str, key: str, *values: Any, partition: int = 0) -> Line:
        """Further records of a source partition, through to the vectors."""
        sent = self.sources.setdefault((topic, partition), [])
        first = len(sent)
        sent += [(key.encode(), None if v is None else json.dumps(v).encode()) for v in values]
        return self.again(topic, partition, first)

    def again(self, topic: str, partition: int = 0, first: int = 0) -> Line:
        """A source partition is read from an offset on (0: the topic from its beginning)."""
        sent = self.sources[topic, partition][first:]
        offsets = list(range(first, first + len(sent)))
        keys, values = [key for key, _ in sent], [value for _, value in sent]
        batch = SourceBatch(topic, partition, offsets, [self.stamp_ms] * len(sent), keys, values)
        made = self.intake.process(batch, NOW_MS)
        self.dead = made.dead
        self.records += [(key, value) for key, value, _ in made.records]
        while self.read < len(self.records):
            self._step()
        return self

    def _step(self) -> None:
        keys, values = zip(*self.records[self.read :], strict=True)
        offsets = list(range(self.read, len(self.records)))
        effects = self.updater.process([LogBatch(0, offsets, list(keys), list(values))], self.store)
        self.read = len(self.records)
        self.records += [(key.encode(), codec.encode(record)) for key, record in effects.forwards]
        self.store.write(effects)
        self._watch(effects)
        self.effects = effects

    def _watch(self, effects: Effects) -> None:
        if effects.vectors is not None:
            v = effects.vectors
            for place, target in enumerate(v.targets):
                address = PLATFORMS[target], v.ids[place]
                self.topic[address] = int(v.events[place])
                self.messages[address] = (
                    v.users[place],
                    int(v.events[place]),
                    int(v.as_of_ms[place]),
                    v.vectors[place].tobytes(),
                    v.shares[place].tobytes(),
                )
        for target, identity, _ in effects.tombstones:
            self.topic.pop((PLATFORMS[target], identity), None)
            self.messages.pop((PLATFORMS[target], identity), None)

    def row(self, key: str) -> int:
        row = self.updater.slab.find(key)
        assert row is not None
        return row

    def events(self, key: str) -> int:
        row = self.updater.slab.find(key)
        return 0 if row is None else events_behind(self.updater.slab, row)

    def state(self, key: str) -> bytes:
        return bytes(self.updater.slab.rows["current"][self.row(key)].tobytes())


def event(hours: float, item: str = "i1", action: str = "click", **more: Any) -> dict[str, Any]:
    time = START_MS + round(hours * HOUR_MS)
    return {"item_id": item, "action": action, "time": time, **more}
