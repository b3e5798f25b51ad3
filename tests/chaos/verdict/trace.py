"""Where an event that isn't in its user's state went: looked up in the topics, after a failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from streams.log import codec
from streams.log.keys import local_key, user_key
from streams.log.records import Event
from streams.settings import Settings
from tests.chaos.systems.topics import read_all
from tests.chaos.traffic import Step, number_at, owned

MOST: Final = 200


@dataclass(frozen=True)
class Entry:
    """A record of the log."""

    partition: int
    offset: int
    stamp_ms: int
    key: str
    record: Any

    @property
    def source(self) -> tuple[str, int]:
        """Partition that it came from."""
        return self.record.via.topic, self.record.via.partition

    def __str__(self) -> str:
        via = self.record.via
        return (
            f"log {self.partition}@{self.offset} ({self.stamp_ms % 1_000_000} ms) "
            f"from {via.topic}-{via.partition}@{via.offset}"
        )


def trace(bootstrap: str, settings: Settings, sent: Iterable[Step], users: set[str]) -> list[str]:
    """What the log has of some users' events, as lines: all of it, with what overtook it."""
    entries = read_log(bootstrap, settings.events.topic)
    events = [step for step in owned(sent) if user_keys(step) & users]
    lines = []
    for step in events[-MOST:]:
        found = [e for e in entries if _is(e, step)]
        if not found:
            lines.append(f"event {step.number} of {step.user} isn't in the log")
        for entry in found:
            ahead = [e for e in entries if _overtook(e, entry)]
            note = f", after {ahead[0]} and {len(ahead) - 1} more" if ahead else ""
            lines.append(f"event {step.number} of {step.user}: {entry}{note}")
    return lines


def read_log(bootstrap: str, topic: str) -> list[Entry]:
    """Every record of the log that can be read."""
    entries = []
    for message in read_all(bootstrap, topic):
        try:
            record = codec.decode(message.value())
        except (msgspec.DecodeError, ValueError):
            continue
        place = message.partition(), message.offset(), message.timestamp()[1]
        entries.append(Entry(*place, message.key().decode(), record))
    return entries


def user_keys(step: Step) -> set[str]:
    """Keys of the state table under which an event may be."""
    if "local_id" in step.value:
        return {local_key("shop", step.value["local_id"])}
    return {user_key(step.user)}


def _is(entry: Entry, step: Step) -> bool:
    return isinstance(entry.record, Event) and number_at(entry.record.time_ms) == step.number


def _overtook(one: Entry, other: Entry) -> bool:
    """Earlier in the log, from further on in the same source: the other looks like a repeat."""
    return (
        one.partition == other.partition
        and one.offset < other.offset
        and one.source == other.source
        and one.record.via.offset > other.record.via.offset
    )
