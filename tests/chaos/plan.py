"""What a phase is to do, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.draw import Drawn
from tests.chaos.systems.crew import Ended
from tests.chaos.verdict.judge import Verdict

BACK_S: Final = 180.0
"""Seconds after which full speed must be back, or something must move at least; else somebody
steps in, and that is reported. Longer than the service needs to notice by itself that it stands
still (its watchdog: 127 s) and to start again."""
Say = Callable[[str], None]


@dataclass
class Struck:
    """What a fault did.

    Attributes:
        note: in words.
        recovery_s: until full speed was back; None where the next fault came before.
        stuck: it didn't come back in time, and somebody stepped in.
        slow: the next one struck though full speed wasn't back yet; everything moved.
    """

    kind: str
    note: str = ""
    recovery_s: float | None = None
    stuck: bool = False
    slow: bool = False
    error: str = ""


@dataclass
class Outcome:
    """A phase, or several.

    Attributes:
        ended: workers that ended by themselves, and were started again.
        undrained: records that weren't committed at the end.
    """

    struck: list[Struck] = field(default_factory=list)
    events: int = 0
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    ended: list[Ended] = field(default_factory=list)
    undrained: int = 0

    def add(self, other: Outcome) -> None:
        """Sum up two phases."""
        self.struck += other.struck
        self.events += other.events
        self.seconds += other.seconds
        self.verdict.add(other.verdict)
        self.ended += other.ended
        self.undrained += other.undrained

    @property
    def faults(self) -> dict[str, int]:
        """Faults that struck, by kind."""
        return dict(sorted(Counter(s.kind for s in self.struck if not s.error).items()))

    def recoveries(self, *kinds: str) -> list[float]:
        """Measured times, of some kinds or all."""
        return [
            s.recovery_s
            for s in self.struck
            if s.recovery_s is not None and (not kinds or s.kind in kinds)
        ]


@dataclass(frozen=True)
class Plan:
    """How a phase is run.

    Attributes:
        folder: for everything; the workers' logs stay in it.
        rate: events a second.
        running: workers at the beginning.
        slots: places for workers.
        say: prints a line.
        back_s: full speed must be back within, and something must move within.
        patience_s: the next fault waits no longer for full speed, as long as something moves.
    """

    folder: Path
    nodes: int
    rate: float
    session_s: float
    drawn: Sequence[Drawn]
    running: int = 2
    slots: int = 3
    say: Say = print
    back_s: float = BACK_S
    patience_s: float = BACK_S

    @property
    def names(self) -> list[str]:
        """Names of the workers' places."""
        return [f"W{number + 1}" for number in range(self.slots)]
