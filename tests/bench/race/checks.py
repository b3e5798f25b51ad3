"""Did a contestant do its work: counts, states and windows against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.bench.graph import WIDTH, Model
from tests.bench.race.broker import Record
from tests.bench.race.contestant import Contestant
from tests.bench.race.reference import TOLERANCE, Reference


class WrongError(AssertionError):
    """A contestant didn't do the work that it was measured for."""


def last_vectors(contestant: Contestant, vectors: list[Record], what: str) -> dict[str, Any]:
    """An attribute of each user's last vector."""
    last = {record.key: record.value for record in vectors}
    read = contestant.read_vector
    seen = [read(value) for value in last.values() if value]
    return {vector.user: getattr(vector, what) for vector in seen}


def check_states(contestant: Contestant, reference: Reference, vectors: list[Record]) -> None:
    """Hold the last vectors against the reference.

    Raises:
        WrongError: a user is missing or has another state.
    """
    states = last_vectors(contestant, vectors, "state")
    counts = last_vectors(contestant, vectors, "events")
    worst = 0.0
    for user in np.flatnonzero(reference.counts).tolist():
        name = f"user-{user:06d}"
        if counts.get(name) != reference.counts[user]:
            raise WrongError(
                f"{contestant.name}: {name} has {counts.get(name)} events, not "
                f"{reference.counts[user]}"
            )
        state = np.frombuffer(states[name], np.float16)[:WIDTH].astype(np.float32)
        worst = max(worst, float(np.abs(state - reference.states[user]).max()))
    if not worst <= TOLERANCE:
        raise WrongError(f"{contestant.name}: a state differs by {worst:.4f} from the reference")


def check_windows(
    contestant: Contestant, model: Model, reference: Reference, rows: list[Record]
) -> None:
    """Hold the last stored rows against the reference.

    Raises:
        WrongError: a user is missing or has another window.
    """
    items = np.array(
        [contestant.of_items(name, row) for row, name in enumerate(model.items)], np.int64
    )
    last = {contestant.read_key(record.key): record.value for record in rows}
    for user in np.flatnonzero(reference.counts).tolist():
        value = last.get(f"u/user-{user:06d}".encode())
        found = contestant.read_row(value) if value else None
        wanted = items[reference.windows[user]]
        if found is None or found[0] != reference.counts[user] or list(found[1]) != list(wanted):
            raise WrongError(f"{contestant.name}: user {user} has another window in its changelog")
