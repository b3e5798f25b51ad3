"""What happened in a simulated world, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """What happened, over any number of schedules."""

    schedules: int = 0
    steps: int = 0
    crashes: int = 0
    rebalances: int = 0
    pauses: int = 0
    zombies: int = 0
    fenced: int = 0
    late_sends: int = 0
    announcements: int = 0
    swaps: int = 0
    renewals: int = 0
    consents: int = 0
    erasures: int = 0
    grown: int = 0
    rewound: int = 0
    violations: int = 0


class StuckError(AssertionError):
    """The service doesn't come to rest."""
