"""A vector that float16 can't say isn't published, and is a dead letter."""

from __future__ import annotations

import numpy as np

from streams.log.records import Event
from streams.publish.unusable_vectors import BAD_VECTOR
from tests.unit.streams.toy import (
    PLATFORMS,
    START_MS,
    MemoryStore,
    ToyModel,
    batch,
    event,
    toy_updater,
)


class Overflowing(ToyModel):
    """A model whose vectors for shop are beyond float16 for one user."""

    def migrate(self, state: np.ndarray) -> np.ndarray:
        interests = super().migrate(state)
        interests[0, 1] = np.nan
        interests[0, 2] = 70_000.0
        return interests


def later(n: int) -> Event:
    return event(START_MS + 10 + n, offset=10 + n)


def test_a_vector_that_isn_t_finite_is_a_letter_and_the_others_go_out() -> None:
    updater = toy_updater(linked=False)
    updater.model = Overflowing()
    records = [("u/ann", later(0)), ("u/bob", later(1))]
    effects = updater.process([batch(0, 0, records)], MemoryStore())
    assert effects.vectors is not None
    sent = set(zip(effects.vectors.targets, effects.vectors.ids, strict=True))
    assert sent == {(0, "ann"), (0, "bob"), (1, "bob"), (2, "bob")}
    assert np.isfinite(effects.vectors.vectors).all()
    found = {(letter.reason, letter.key, letter.field) for letter in effects.refused}
    assert found == {(BAD_VECTOR, b"ann", f"vector for {name}") for name in PLATFORMS[1:]}
    assert len({letter.offset for letter in effects.refused}) == 2
