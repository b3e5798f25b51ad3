"""What must not stand still, and for how long it may: decided from what is seen, each second.

A thing that is watched has a value. While it is watched and its value stays the same, it stands
still; beyond its rule's limit the worker ends itself, and whoever runs it starts it again. What
isn't seen in a look (nothing waits, no call is under way) isn't watched, and begins anew.

Pure: :mod:`streams.runtime.services.guard` does the looking.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from streams.settings.sections.watchdog import Watchdog as Limits

MAX_GAP_S: Final = 3.0
"""Most that one look counts for. A longer gap between two looks means that the process was
paused as a whole (SIGSTOP, a suspended machine): nothing in it could have moved."""


class Rule(StrEnum):
    """What is watched."""

    ONNX = "onnx"
    LOOP = "loop"
    PROGRESS = "progress"
    COMMIT = "commit"
    RECOVERY = "recovery"


REASONS: Final[Mapping[Rule, str]] = {
    Rule.ONNX: "an ONNX Runtime call hasn't returned",
    Rule.LOOP: "the event loop is blocked",
    Rule.PROGRESS: "records wait and the partition isn't read",
    Rule.COMMIT: "what was processed isn't committed",
    Rule.RECOVERY: "joining the group, or reading states back, doesn't move",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """Something that should move.

    Attributes:
        rule: why it is watched.
        value: what changes when it moves.
        what: which one, where a rule watches several (``topic/partition``).
        detail: for the log, what it looks like now.
    """

    rule: Rule
    value: Hashable
    what: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something stood still beyond its limit."""

    watched: Watched
    still_s: float
    limit_s: float

    def __str__(self) -> str:
        watched = self.watched
        where = "".join(f" ({part})" for part in (watched.what, watched.detail) if part)
        return (
            f"watchdog {watched.rule.value}: {REASONS[watched.rule]}{where}, for "
            f"{self.still_s:.0f} s (watchdog.{watched.rule.value}_s = {self.limit_s:g})"
        )


def limits_of(settings: Limits) -> dict[Rule, float]:
    """Limit of each rule, in seconds."""
    return {rule: float(getattr(settings, f"{rule.value}_s")) for rule in Rule}


class Watchdog:
    """Remembers since when each watched thing has had its value.

    Args:
        limits: seconds that each rule's things may stand still.
    """

    def __init__(self, limits: Mapping[Rule, float]) -> None:
        self._limits = limits
        self._seen: dict[tuple[Rule, str], tuple[Hashable, float]] = {}
        self._looked_s: float | None = None
        self._time_s = 0.0

    def look(self, now_s: float, watched: Iterable[Watched]) -> Verdict | None:
        """Take in what is there now; what has stood still beyond its limit, the longest first.

        Args:
            now_s: a clock that never goes back, in seconds.
            watched: everything that should move now.
        """
        self._pass_time(now_s)
        before, self._seen = self._seen, {}
        verdict: Verdict | None = None
        for thing in watched:
            key = (thing.rule, thing.what)
            value, since = before.get(key, (thing.value, self._time_s))
            if value != thing.value:
                since = self._time_s
            self._seen[key] = (thing.value, since)
            still, limit = self._time_s - since, self._limits[thing.rule]
            if still > limit and (verdict is None or still > verdict.still_s):
                verdict = Verdict(thing, still, limit)
        return verdict

    def _pass_time(self, now_s: float) -> None:
        if self._looked_s is not None:
            self._time_s += min(now_s - self._looked_s, MAX_GAP_S)
        self._looked_s = now_s

    def still_s(self, rule: Rule) -> float:
        """For how long the stillest thing of a rule has stood still; 0 where none is watched."""
        since = [at for (of, _), (_, at) in self._seen.items() if of is rule]
        return self._time_s - min(since) if since else 0.0
