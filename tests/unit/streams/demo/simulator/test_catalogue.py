from __future__ import annotations

import numpy as np
import pytest

from streams.demo.simulator.catalogue import items_by_id, shelves
from streams.demo.simulator.topics import PLATFORMS, TOPICS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_has_a_few_hundred_items_with_different_titles(platform: str) -> None:
    items = shelves()[platform].items
    assert 200 <= len(items) <= 500
    assert len({item.title for item in items}) == len(items)
    assert len({item.item_id for item in items}) == len(items)
    assert all("{" not in item.title and item.title[0].isupper() for item in items)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_topics_correspond_across_platforms_under_other_categories(platform: str) -> None:
    shelf = shelves()[platform]
    column = PLATFORMS.index(platform)
    assert set(shelf.topic.tolist()) == set(range(len(TOPICS)))
    assert all(i.category == TOPICS[i.topic].categories[column] for i in shelf.items)
    assert all(len(set(topic.categories)) == len(PLATFORMS) for topic in TOPICS)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_popularity_is_a_distribution_within_each_topic(platform: str) -> None:
    shelf = shelves()[platform]
    sums = np.bincount(shelf.topic, shelf.popularity)
    np.testing.assert_allclose(sums, 1.0)


def test_items_are_found_by_platform_and_id() -> None:
    item = shelves()["shop"].items[7]
    assert items_by_id()["shop", item.item_id] is item
