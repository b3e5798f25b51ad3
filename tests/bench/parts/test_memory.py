"""Only the number of active users differs between the two runs whose memory is compared."""

from __future__ import annotations

import numpy as np

from tests.bench.parts.memory import FEW, MANY, traffic_of


def test_few_and_many_have_the_same_events_and_the_same_changelog() -> None:
    few, many = traffic_of(FEW, 4), traffic_of(MANY, 4)
    assert few.users == many.users == MANY  # rows in the changelog
    assert len(few) == len(many)
    for column in ("item", "action", "time_ms"):
        assert np.array_equal(getattr(few, column), getattr(many, column))
    for traffic, active in ((few, FEW), (many, MANY)):
        counts = np.bincount(traffic.user)
        assert len(counts) == active
        assert counts.min() >= 2
