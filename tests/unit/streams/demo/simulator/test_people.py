from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.demo.simulator.people import DAY_MS, LINKED, Interests, make_person, topic_popularity
from streams.demo.simulator.topics import PLATFORMS, TOPICS


@given(st.integers(0, 5), st.integers(0, 300), st.lists(st.integers(0, 400), min_size=1))
def test_interests_are_a_distribution_and_do_not_depend_on_what_was_asked_before(
    seed: int, index: int, days: list[int]
) -> None:
    asked = Interests(seed, index, 0, 5.0)
    for day in days:
        mix = asked.at(day * DAY_MS)
        assert mix.shape == (len(TOPICS),)
        assert mix.min() > 0.0
        np.testing.assert_allclose(mix.sum(), 1.0)
        np.testing.assert_array_equal(mix, Interests(seed, index, 0, 5.0).at(day * DAY_MS))


def test_interests_drift() -> None:
    interests = Interests(1, 3, 0, 5.0)
    changes = interests.changes_until(365 * DAY_MS)
    assert 40 < len(changes) < 110
    before, after = interests.at(changes[0] - 1), interests.at(changes[0])
    assert np.abs(before - after).sum() > 0.5


def test_people_hold_few_interests() -> None:
    held = [(Interests(1, i, 0, 5.0).at(0) > 0.05 * topic_popularity() + 1e-9).sum()
            for i in range(200)]  # fmt: skip
    assert min(held) == 2
    assert max(held) == 4


def test_local_ids_exist_for_linked_platforms_only_and_differ() -> None:
    people = [make_person(1, index) for index in range(3000)]
    assert len({p.user for p in people}) == len(people)
    for person in people:
        assert set(person.local_ids) == LINKED & set(person.platforms)
    ids = [p.local_ids["shop"] for p in people if "shop" in p.platforms]
    assert len(set(ids)) == len(ids)


def test_some_people_are_on_some_platforms_only() -> None:
    subsets = {make_person(1, index).platforms for index in range(500)}
    assert PLATFORMS in subsets
    assert len(subsets) > 3
