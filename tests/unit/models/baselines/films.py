"""People who took a film and then its book, for scores that are worked out by hand."""

from __future__ import annotations

import numpy as np

from models.baselines import Method
from models.data.table import EventTable, TableBuilder
from models.protocols.cases import Cases, Split

DAY = 86_400_000


NONE = np.zeros(0, np.int64)


# Three people who took a film and then its book; ann is asked about: her last row.
EVENTS = [
    ("ann", "film", "space", 1),
    ("ann", "film", "cook", 2),
    ("ann", "book", "space book", 30),
    ("bob", "film", "space", 1),
    ("bob", "book", "space book", 24),
    ("cat", "film", "space", 2),
    ("cat", "book", "space book", 3),
    ("dan", "film", "farm", 1),
    ("dan", "book", "farm book", 2),
    ("eve", "book", "farm book", 28),
    ("fay", "book", "farm book", 2),
    ("fay", "book", "farm book", 3),
]


def table(words: bool = True, times: bool = True) -> EventTable:
    builder = TableBuilder()
    for item in ("space", "cook", "farm"):
        builder.add_item("film", item, f"The {item} film" if words else "", item if words else "")
    for item in ("space", "cook", "farm"):
        title = f"{item} book"
        builder.add_item("book", title, title if words else "", item if words else "")
    for user, platform, item, day in EVENTS:
        builder.add_event(user, platform, 2, item, day * DAY if times else 0)
    return builder.build()


def split(data: EventTable) -> tuple[Split, Cases]:
    """Everything trains but ann's third event, which is the one case."""
    train = np.ones(len(data), bool)
    train[2] = False
    case = Cases(np.array([2]), np.array([0]), np.array([2]), None)
    return Split("test", data, train, Cases(NONE, NONE, NONE, None), case), case


def scores(method: Method, data: EventTable | None = None) -> list[float]:
    """Scores of (space book, cook book, farm book) for ann."""
    made, case = split(table() if data is None else data)
    method.fit(made, seed=0)
    got = method.scores(case, target=1)
    assert got.shape == (1, 3)
    return [float(score) for score in got[0]]
