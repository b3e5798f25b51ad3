"""What one seed means, all things together."""

from __future__ import annotations

import random

from tests.simulation.schedule import Schedule, plain_schedule
from tests.simulation.wishes import with_wishes


def make_schedule(seed: int, *, zombies: bool = True) -> Schedule:
    """The schedule of a seed."""
    schedule = plain_schedule(seed, zombies=zombies)
    return with_wishes(schedule, random.Random(seed ^ 0xC0115E47))
