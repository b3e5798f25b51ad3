"""Items that are drawn to rank among."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.protocols.candidates import draw_without


@given(
    st.integers(1, 60), st.sets(st.integers(0, 59), max_size=60), st.integers(1, 60), st.integers()
)
def test_drawn_items_are_allowed_and_different(
    size: int, banned: set[int], count: int, seed: int
) -> None:
    rng = np.random.default_rng(abs(seed))
    drawn = draw_without(rng, size, np.array(sorted(banned), np.int32), count)
    allowed = set(range(size)) - banned
    assert set(drawn.tolist()) <= allowed
    assert len(set(drawn.tolist())) == len(drawn) == min(count, len(allowed))


def test_drawn_items_are_uniform() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros(20)
    for _ in range(4000):
        counts[draw_without(rng, 20, np.array([3, 4], np.int32), 5)] += 1
    expected = 4000 * 5 / 18
    assert counts[[3, 4]].tolist() == [0, 0]
    assert (abs(np.delete(counts, [3, 4]) - expected) < 5 * np.sqrt(expected)).all()
