"""Which dead letters are sent again, and as what. Pure; the command does the reading and sending.

A record goes back to its topic as it was: value, key and headers, with one header more that
names the letter (``redrive_header``). What that leads to is intake's to say, as for any other
record: an event that has come back before is the same event, and counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.dead_letters.redrive_header import HEADER, header

CUT: Final = "the letter holds a part of the record only (truncated)"
FOREIGN: Final = "its topic isn't one that a platform's events come by"
COMPACTED: Final = "of a compacted topic, where it would go over what was sent since (--compacted)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be sent again; what is None is not asked for.

    Attributes:
        platforms: these platforms' letters only, if there are any.
        reasons: of these reasons only, if there are any.
        field: of this field only.
        since_ms: rejected at or after.
        until_ms: rejected before.
        compacted: also links and items.
    """

    platforms: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    field: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    compacted: bool = False

    def asks_for(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.platforms or letter.platform in self.platforms)
            and (not self.reasons or letter.reason in self.reasons)
            and (self.field is None or letter.field == self.field)
            and (self.since_ms is None or letter.seen_ms >= self.since_ms)
            and (self.until_ms is None or letter.seen_ms < self.until_ms)
        )


@dataclass(frozen=True, slots=True)
class Redriven:
    """A record to send.

    Attributes:
        topic: where it came from.
        key: its key.
        value: its value.
        headers: its headers, and the one that names the letter.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(slots=True)
class Plan:
    """What becomes of the letters.

    Attributes:
        records: to send, in the order of the letters.
        counts: of these, by (topic, reason).
        left_out: letters that were asked for and can't be sent, by why.
        others: letters that weren't asked for.
    """

    records: list[Redriven] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    others: int = 0


def plan(
    letters: Iterable[DeadLetter],
    wanted: Wanted,
    events: Mapping[str, object],
    compacted: Iterable[str],
) -> Plan:
    """What to send again.

    Args:
        letters: the dead letters, the oldest first; one that was taken back isn't among them.
        wanted: which of them.
        events: the platforms' event topics.
        compacted: their links and items topics.
    """
    made, others = Plan(), set(compacted)
    for letter in letters:
        if not wanted.asks_for(letter):
            made.others += 1
        elif why := _obstacle(letter, wanted, events, others):
            made.left_out[why] += 1
        else:
            made.records.append(_record(letter))
            made.counts[letter.topic, letter.reason] += 1
    return made


def _obstacle(
    letter: DeadLetter, wanted: Wanted, events: Mapping[str, object], compacted: set[str]
) -> str:
    if letter.truncated:
        return CUT
    if letter.topic in compacted:
        return "" if wanted.compacted else COMPACTED
    return "" if letter.topic in events else FOREIGN


def _record(letter: DeadLetter) -> Redriven:
    """The record as it was; one that was redriven before keeps the name of its first letter."""
    own = header(letter.topic, letter.partition, letter.offset, letter.timestamp_ms)
    before = [h for h in letter.headers if h[0] == HEADER]
    headers = letter.headers if before else (*letter.headers, own)
    return Redriven(letter.topic, letter.key, letter.raw, tuple(headers))
