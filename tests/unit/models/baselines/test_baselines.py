"""Each method against scores worked out by hand, on one small table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.baselines import METHODS, Method, NotApplicableError
from models.baselines.base import history_matrix
from models.baselines.content import ContentSimilarity
from models.baselines.factors import MovingAverage, PureSvd
from models.baselines.neighbours import ItemKnn, UserKnn
from models.baselines.popularity import RecentPopularity
from models.baselines.rules import CategoryRules
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


def test_item_knn_is_a_shrunk_cosine_of_users() -> None:
    """Of three users of the space film, two took its book, which has two."""
    got = scores(ItemKnn(shrink=1.0, decay=1.0))
    assert got == pytest.approx([2 / (np.sqrt(3 * 2) + 1), 0, 0])
    assert scores(ItemKnn(shrink=1.0, decay=0.5))[0] == pytest.approx(got[0] / 2)


def test_user_knn_votes_with_similarity_and_without_oneself() -> None:
    """Bob and cat share one of their two items with ann."""
    assert scores(UserKnn(decay=1.0)) == pytest.approx([2 / np.sqrt(2), 0, 0])
    nearest_only = scores(UserKnn(neighbours=1, decay=1.0))
    assert nearest_only[0] > 0
    assert nearest_only[2] == 0


@pytest.mark.parametrize(
    "method", [PureSvd(rank=2), MovingAverage(rank=2), ContentSimilarity(), CategoryRules()]
)
def test_the_book_of_the_film_comes_first(method: Method) -> None:
    got = scores(method)
    assert got[0] > got[2]


def test_content_finds_an_item_that_nobody_had() -> None:
    space, cook, farm = scores(METHODS["content"]())
    assert cook > space > farm


def test_rules_are_confidences() -> None:
    """Two of three users of space films take space books; nobody else takes cook films."""
    got = scores(METHODS["rules"]())
    assert got == pytest.approx([(2 / 3) / 2, 0, 0], abs=1e-3)


@pytest.mark.parametrize("name", ["content", "rules"])
def test_methods_say_what_the_data_lacks(name: str) -> None:
    with pytest.raises(NotApplicableError, match="no item has a"):
        scores(METHODS[name](), table(words=False))


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_works_without_times_and_without_a_history(name: str) -> None:
    made, _ = split(table(times=False))
    method = METHODS[name]()
    method.fit(made, seed=1)
    zero = np.array([0])
    got = method.scores(Cases(np.array([2]), zero, zero, None), target=1)
    assert got.shape == (1, 3)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()


def test_history_weights_count_from_the_last_event() -> None:
    data = table()
    made, _ = split(data)
    fay = np.flatnonzero(data.user == data.users.index("fay"))
    cases = Cases(np.array([2, fay[0]]), np.array([0, fay[0]]), np.array([2, fay[0] + 2]), None)
    got = history_matrix(made, cases, decay=0.5).toarray()
    assert got.tolist() == [[0.5, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]]
    assert history_matrix(made, cases).toarray().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ]
