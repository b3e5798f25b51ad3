"""Popularity of all time and of some days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.baselines import METHODS
from models.baselines.popularity import RecentPopularity
from models.protocols.cases import Cases
from tests.unit.models.baselines.films import DAY, scores, split, table


def test_popularity_counts_training_events() -> None:
    assert scores(METHODS["pop-all"]()) == [2, 0, 4]


def test_recent_popularity_counts_the_days_before_the_event() -> None:
    """Ann's event is on day 30: bob's of day 24 and eve's of day 28 are within 7 days."""
    got = np.expm1(scores(METHODS["pop-7d"]()))
    assert got == pytest.approx([1 + 2 / 5, 0, 1 + 4 / 5])
    got = np.expm1(scores(RecentPopularity(days=3)))
    assert got == pytest.approx([2 / 5, 0, 1 + 4 / 5])


def test_recent_popularity_never_sees_the_event_or_later_ones() -> None:
    data = table()
    made, _ = split(data)
    method = RecentPopularity()
    method.fit(made, 0)
    eve = np.flatnonzero(data.user == data.users.index("eve"))
    got = np.expm1(method.scores(Cases(eve, eve, eve, None), target=1))
    assert got[0] == pytest.approx([1 + 2 / 5, 0, 4 / 5])


def test_recent_popularity_counts_earlier_test_events_where_the_protocol_allows() -> None:
    """Under temporal a service has seen what happened after training ended."""
    data = table()
    allowed = replace(split(data)[0], train=data.time_ms <= 3 * DAY, observed=data.time_ms > 0)
    method = RecentPopularity()
    method.fit(allowed, 0)
    got = np.expm1(method.scores(allowed.test, target=1))
    assert got[0] == pytest.approx([1 + 1 / 4, 0, 1 + 3 / 4])
