"""What one rebalance gave a worker."""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka.consumer.subscription_state import Assignment, SubscriptionState

from streams.intake.dead_letters.repeats import UNKNOWN, Repeats


@dataclass(slots=True, eq=False)
class Share:
    """What one rebalance gave this worker, and how far its recovery is.

    Attributes:
        assignment: aiokafka's object, a new one for each rebalance.
        generation: the group's number for it.
        recovered: the changelog has been read.
        open: the sources may be read: what Faust's queues held before is cleared.
        sought: the sources are where the group's committed offsets say.
        repeats: which of their records may have been read before.
    """

    assignment: Assignment
    generation: int
    recovered: bool = False
    open: bool = False
    sought: bool = False
    repeats: Repeats = UNKNOWN


def is_current(subscriptions: SubscriptionState, assignment: Assignment) -> bool:
    """Whether positions of this assignment are still worth anything."""
    current = subscriptions.subscription is not None and subscriptions.subscription.assignment
    return current is assignment and not subscriptions.reassignment_in_progress
