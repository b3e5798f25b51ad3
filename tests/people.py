"""A small event table with something to learn: people like one topic on both platforms."""

from __future__ import annotations

import numpy as np

from models.contract import ACTIONS
from models.data.table import EventTable, TableBuilder

TOPICS = ("garden", "jazz", "river", "kitchen")
WORDS = ("old", "new", "green", "quiet", "bright", "small")


def people_table(
    users: int = 60, events: int = 12, items: int = 40, seed: int = 0, titles: bool = True
) -> EventTable:
    """Two platforms; an item's title names its topic; nine of ten events are on topic."""
    rng = np.random.default_rng(seed)
    builder = TableBuilder()
    for platform in ("video", "shop"):
        for item in range(items):
            title = f"{rng.choice(WORDS)} {TOPICS[item % len(TOPICS)]} {rng.choice(WORDS)}"
            words = (title, TOPICS[item % len(TOPICS)]) if titles else ("", "")
            builder.add_item(platform, f"{platform}-{item}", *words)
    for user in range(users):
        favourite, time_ms = user % len(TOPICS), 1_700_000_000_000
        for _ in range(events):
            topic = favourite if rng.random() < 0.9 else rng.integers(len(TOPICS))
            item = int(topic) + len(TOPICS) * int(rng.integers(items // len(TOPICS)))
            platform = ("video", "shop")[rng.integers(2)]
            time_ms += int(rng.exponential(3_600_000))
            action = int(rng.integers(len(ACTIONS)))
            builder.add_event(f"user-{user}", platform, action, f"{platform}-{item}", time_ms)
    return builder.build()
