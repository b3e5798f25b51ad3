"""A batch on its way through its phases, and the rules that every worker keeps with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.effects.effects import Effects
from streams.effects.order import Part, Phase, phases_of
from streams.intake.dead_letters.dead_letter import DeadLetter
from tests.simulation.machines.broker import TP
from tests.simulation.machines.outbox import Outgoing, Ticket


@dataclass(slots=True)
class Flight:
    """A batch on its way through its phases.

    Attributes:
        first: dead letters that have to be there before the log's records.
        letters: others, of records that were never read before.
        again: those of records that may have been, as long as they aren't dealt with.
    """

    phases: list[Phase]
    effects: Effects | None
    batch: int
    done: dict[TP, int]
    out: dict[int, list[Outgoing]] = field(default_factory=dict)
    first: list[DeadLetter] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    again: list[DeadLetter] = field(default_factory=list)
    ticket: Ticket = field(default_factory=Ticket)
    place: int = -1

    @property
    def has_forwarded(self) -> bool:
        """Whether what the batch forwards is acknowledged, and nothing else of it is sent."""
        sent = self.place >= 0 and not self.ticket.waiting
        return sent and Part.FORWARDS in self.phases[self.place]


@dataclass(slots=True)
class Rules:
    """The protections, so that a test can switch one off."""

    phases: Callable[[Effects], list[Phase]] = phases_of
    forget_at_revoke: bool = True
    drop_at_revoke: bool = True
    drain_at_revoke: bool = True
    fencing: bool = True
    swap_between_batches: bool = True
    seek_at_assign: bool = True
    look_up_letters: bool = True
    clock_letters_first: bool = True
