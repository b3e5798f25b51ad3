"""What one seed means, all things together."""

from __future__ import annotations

import random

from tests.simulation.schedules.late import with_late_faults
from tests.simulation.schedules.schedule import Schedule
from tests.simulation.schedules.traffic import plain_schedule
from tests.simulation.schedules.wishes import with_wishes


def make_schedule(seed: int, *, zombies: bool = True) -> Schedule:
    """The schedule of a seed."""
    schedule = plain_schedule(seed, zombies=zombies)
    schedule = with_wishes(schedule, random.Random(seed ^ 0xC0115E47))
    return with_late_faults(schedule, random.Random(seed ^ 0x1A7E))
