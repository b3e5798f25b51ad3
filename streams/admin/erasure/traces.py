"""What is left of an erased user, from the records of the topics themselves. No I/O.

Each part takes the records of one kind of topic and gives findings. A finding is ``LEFT`` where
something is there that an erasure should have removed; everything else says why it may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

import msgspec

from streams.intake.dead_letters import dead_letter
from streams.intake.readers.base import REFUSED
from streams.intake.readers.erasure import ErasureReader
from streams.intake.source import SourceBatch
from streams.log import codec
from streams.log.keys import local_key, user_key
from streams.log.records import Adopt, Erase, Forget, Link, LogRecord, Release
from streams.subscribe.schema import InterestUpdate, decode


class Verdict(Enum):
    """What a finding means."""

    LEFT = "left"
    """It should be gone."""
    LATER = "later"
    """It is of after the erasure."""
    KEPT = "kept"
    """It stays by design: marks, and what the user allows."""
    WAITS = "waits"
    """It was overwritten or taken back; compaction removes it."""
    EXPIRES = "expires"
    """Retention removes it."""
    YOURS = "yours"
    """It is in a topic that others write."""


class Finding(NamedTuple):
    """One thing that is there."""

    verdict: Verdict
    topic: str
    partition: int
    offset: int
    what: str


class Seen(NamedTuple):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    def finding(self, verdict: Verdict, what: str) -> Finding:
        """A finding about this record."""
        return Finding(verdict, self.topic, self.partition, self.offset, what)


@dataclass
class Subject:
    """Whose traces are looked for.

    Attributes:
        user: the canonical id; empty where only a local id is meant.
        locals: (platform, local id) that are, or were found to have been, the user's.
        erased_ms: up to when nothing may count (an erasure may say so itself); -1 while no
            erasure was found.
        ordered_ms: Kafka timestamp of the order to erase; -1 while none was found. What was
            written before it, an erasure looks through, whatever time it names.
    """

    user: str
    locals: set[tuple[str, str]] = field(default_factory=set)
    erased_ms: int = -1
    ordered_ms: int = -1

    @property
    def keys(self) -> set[bytes]:
        """Keys in the log and in the changelog."""
        found = {local_key(*local).encode() for local in self.locals}
        return found | ({user_key(self.user).encode()} if self.user else set())

    @property
    def letters_ms(self) -> int:
        """When the dead letters were looked through: by the order; without it, by the mark."""
        return self.ordered_ms if self.ordered_ms >= 0 else self.erased_ms

    def names(self) -> list[tuple[str, str]]:
        """Ids with their platforms; of the user's own, no platform."""
        return [*([("", self.user)] if self.user else []), *sorted(self.locals)]


def latest(records: Iterable[Seen]) -> dict[bytes | None, Seen]:
    """The last record of each key; those of value None too."""
    last: dict[bytes | None, Seen] = {}
    for record in records:
        last[record.key] = record
    return last


def erasures(
    records: Iterable[Seen], subject: Subject, reader: ErasureReader, now_ms: int
) -> Iterator[Finding]:
    """The orders in the erasure topic; sets the subject's times.

    Args:
        records: of the erasure topic.
        subject: whose.
        reader: intake's: an order says what it says there, or nothing.
        now_ms: the clock by which the reader believes times.
    """
    keys = {subject.user.encode()} if subject.user else set()
    keys |= {"/".join(local).encode() for local in subject.locals}
    of_key: dict[bytes | None, list[Seen]] = {}
    for record in records:
        if record.key in keys:
            of_key.setdefault(record.key, []).append(record)
    for found in of_key.values():
        orders = [_order(record, reader, now_ms) for record in found]
        since = max((n + 1 for n, order in enumerate(orders) if order and order.lifted), default=0)
        for order in filter(None, orders[since:]):
            # A second order doesn't take back what the first has said.
            subject.erased_ms = max(subject.erased_ms, order.at_ms)
            subject.ordered_ms = max(subject.ordered_ms, order.source_ms)
        yield _ordered(found[-1], orders[-1])


def _order(record: Seen, reader: ErasureReader, now_ms: int) -> Erase | None:
    """What a record of the erasure topic is to intake; None: a dead letter."""
    batch = SourceBatch(
        record.topic,
        record.partition,
        [record.offset],
        [record.timestamp_ms],
        [record.key],
        [record.value],
    )
    for _, value, _ in reader.read(batch, now_ms).records:
        order = codec.decode(value)
        assert isinstance(order, Erase)
        return order
    return None


def _ordered(record: Seen, order: Erase | None) -> Finding:
    if order is None:
        what = "an order to erase that can't be used, and erases nothing; a dead letter says why"
        return record.finding(Verdict.YOURS, what)
    if order.lifted:
        return record.finding(Verdict.KEPT, "an erasure that was lifted")
    own = f", of all up to {at_of(order.at_ms)}" if order.at_ms != order.source_ms else ""
    return record.finding(Verdict.KEPT, f"the order to erase, of {at_of(order.source_ms)}{own}")


def wishes(records: Iterable[Seen], subject: Subject) -> Iterator[Finding]:
    """What the user allows."""
    for record in latest(r for r in records if r.key == subject.user.encode()).values():
        if record.value:
            remedy = "an empty value removes it, and allows everything"
            yield record.finding(Verdict.KEPT, f"what the user allows ({remedy})")


def links(records: Iterable[Seen], platform: str, subject: Subject) -> Iterator[Finding]:
    """Links of one platform; the local ids that they name are looked for from then on."""
    seen = list(records)
    for record in seen:
        if subject.user and _user_of_link(record.value) == subject.user:
            subject.locals.add((platform, text_of(record.key)))
    for record in latest(seen).values():
        if subject.user and _user_of_link(record.value) == subject.user:
            yield record.finding(Verdict.YOURS, "a link to the user; an empty value removes it")


def _user_of_link(value: bytes | None) -> str | None:
    try:
        parsed = msgspec.json.decode(value or b"null")
    except REFUSED:
        return None
    return str(parsed["user_id"]) if isinstance(parsed, dict) and "user_id" in parsed else None


def log_records(records: Iterable[Seen], subject: Subject, days: float) -> Iterator[Finding]:
    """The log: records stay until its retention ends; local ids are found in them."""
    seen = [(r, parsed) for r in records if (parsed := _log_record(r)) is not None]
    own = user_key(subject.user)
    for _, (key, record) in seen:
        if not subject.user or not isinstance(record, Adopt | Release | Forget | Link):
            continue
        user = record.user if isinstance(record, Forget | Link) else None
        if key == own or user == subject.user:
            subject.locals.add((record.platform, record.local_id))
    of_partition: dict[int, list[Seen]] = {}
    keys = subject.keys
    for record_seen, _ in seen:
        if record_seen.key in keys:
            of_partition.setdefault(record_seen.partition, []).append(record_seen)
    for found in of_partition.values():
        until = max(r.timestamp_ms for r in found) + round(days * 86_400_000)
        what = f"{len(found)} records since offset {found[0].offset}, gone by {at_of(until)}"
        yield found[-1].finding(Verdict.EXPIRES, what)


def _log_record(seen: Seen) -> tuple[str, LogRecord] | None:
    try:
        return (seen.key or b"").decode(), codec.decode(seen.value or b"")
    except REFUSED:
        return None


def text_of(key: bytes | None) -> str:
    """A key for people."""
    return (key or b"").decode(errors="replace")


def vectors(
    records: Iterable[Seen], target: str, keys: set[bytes], subject: Subject
) -> Iterator[Finding]:
    """One target's vectors: none of the user's may stand; ``keys`` are the user's there."""
    last: dict[bytes | None, Seen] = {}
    older: dict[bytes | None, int] = {}
    for record in records:
        named = subject.user.encode() in (record.value or b"") if subject.user else False
        if record.key not in keys and record.key not in last and not named:
            continue
        if record.key in last and last[record.key].value:
            older[record.key] = older.get(record.key, 0) + 1
        last[record.key] = record
    for record in last.values():
        update = _update(record)
        mine = update is not None and (record.key in keys or update.user == subject.user)
        if update is not None and mine and update.target == target:
            floor = subject.erased_ms
            verdict = Verdict.LATER if 0 <= floor < update.as_of_ms else Verdict.LEFT
            what = f"a vector of {update.events} events, the newest of {at_of(update.as_of_ms)}"
            yield record.finding(verdict, what)
        if older.get(record.key) and (mine or record.key in keys):
            yield record.finding(Verdict.WAITS, f"{older[record.key]} older vectors of its key")


def _update(record: Seen) -> InterestUpdate | None:
    if not record.value:
        return None
    try:
        return decode(record.value, record.headers)
    except REFUSED:
        return None


def letters(records: Iterable[Seen], subject: Subject) -> Iterator[Finding]:
    """Dead letters that hold an id."""
    for record in latest(records).values():
        try:
            letter = dead_letter.decode(record.value or b"")
        except REFUSED:
            continue
        if not any(dead_letter.concerns(letter, *name) for name in subject.names()):
            continue
        later = 0 <= subject.letters_ms < letter.seen_ms
        position = f"{letter.topic}-{letter.partition}@{letter.offset}"
        yield record.finding(
            Verdict.LATER if later else Verdict.LEFT,
            f"the dead letter of {position}, {letter.reason}",
        )


def at_of(time_ms: int) -> str:
    """A time for people, in UTC."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # a year that no calendar has
        return f"{time_ms} ms"
