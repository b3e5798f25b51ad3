"""The items of the simulated platforms: the same in every run, whatever the seed.

They don't depend on the seed because the shipped bundle is trained on them, and the demo
must be able to make other people for the same items.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.demo.simulator.topics import PLATFORMS, TITLES, TOPICS, Topic

ITEMS_PER_TOPIC: Final = 16
POPULARITY_EXPONENT: Final = 0.7
"""Zipf exponent of the items inside a topic, in the range measured for shops and video."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its id, title, category on its platform and (hidden) topic index."""

    platform: str
    item_id: str
    title: str
    category: str
    topic: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """All items of one platform.

    Attributes:
        items: N items; the position is the item's row.
        topic: int64 [N], index into ``TOPICS``.
        popularity: float64 [N], share of an item in its topic; sums to 1 over a topic.
    """

    items: tuple[Item, ...]
    topic: NDArray[np.int64]
    popularity: NDArray[np.float64]


@functools.cache
def shelves() -> dict[str, Shelf]:
    """Every platform's items."""
    return {platform: _shelf(platform) for platform in PLATFORMS}


@functools.cache
def items_by_id() -> dict[tuple[str, str], Item]:
    """(platform, item id) to item."""
    return {(i.platform, i.item_id): i for shelf in shelves().values() for i in shelf.items}


def _shelf(platform: str) -> Shelf:
    rng = random.Random(f"items of {platform}")
    drafts = [(k, title) for k, t in enumerate(TOPICS) for title in _titles(platform, t, rng)]
    # Shuffled, so that the id's order says nothing about the topic.
    rank = [i % ITEMS_PER_TOPIC for i in range(len(drafts))]
    order = rng.sample(range(len(drafts)), len(drafts))
    column = PLATFORMS.index(platform)
    items = tuple(
        Item(platform, f"{platform[0]}{row:03d}", drafts[i][1],
             TOPICS[drafts[i][0]].categories[column], drafts[i][0])
        for row, i in enumerate(order)
    )  # fmt: skip
    weight = np.array([(1.0 + rank[i]) ** -POPULARITY_EXPONENT for i in order])
    total = np.sum([(1.0 + r) ** -POPULARITY_EXPONENT for r in range(ITEMS_PER_TOPIC)])
    return Shelf(items, np.array([item.topic for item in items]), weight / total)


def _titles(platform: str, topic: Topic, rng: random.Random) -> list[str]:
    """``ITEMS_PER_TOPIC`` different titles; every thing and every pattern is used."""
    patterns, things = TITLES[platform], topic.things
    shift = rng.randrange(len(things))
    titles = []
    for i in range(ITEMS_PER_TOPIC):
        lap, n = divmod(i, len(patterns))
        thing = things[(n + shift + 3 * lap) % len(things)]
        titles.append(_fill(patterns[n], topic, thing))
    rng.shuffle(titles)
    return titles


def _fill(pattern: str, topic: Topic, thing: tuple[str, str]) -> str:
    article = "an" if thing[0][0].lower() in "aeiou" else "a"
    words = {
        "topic": topic.name,
        "thing": thing[0],
        "a_thing": f"{article} {thing[0]}",
        "things": thing[1],
        "place": topic.place,
    }
    capitals = {key.capitalize(): text[:1].upper() + text[1:] for key, text in words.items()}
    return pattern.format(**words, **capitals)
