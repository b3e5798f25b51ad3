from __future__ import annotations

import numpy as np

from streams.demo.board import Board, Happened, Shown
from streams.demo.simulator.catalogue import Item

ITEMS = {
    name: [Item(name, f"{name[0]}{n}", f"{name} {n}", "", n % 2) for n in range(6)]
    for name in ("video", "shop")
}


def board() -> Board:
    vectors = np.array([[1, 0], [0, 1]] * 3, np.float32)
    shown = {name: Shown(items, vectors) for name, items in ITEMS.items()}
    people = {("video", "ada"): "ada", ("shop", "c1"): "ada", ("video", "ben"): "ben"}
    return Board(shown, lambda target, target_id: people.get((target, target_id)))


def event(platform: str, time: int, action: str = "click", by_hand: bool = False) -> Happened:
    return Happened("ada", platform, action, ITEMS[platform][1], time, by_hand)


def update(on: Board, x: float, y: float, as_of: int, own_share: float = 0.0) -> None:
    on.add_update("shop", "c1", np.array([x, y], np.float32), as_of, own_share)


def test_a_story_tells_cause_target_and_ranks_before_and_after() -> None:
    told = board()
    told.add_event(event("video", 100))
    update(told, 1.0, 0.0, 100)
    told.add_event(event("video", 200, "browse"))
    told.add_event(event("video", 300, "purchase"))
    update(told, 0.5, 1.0, 300)
    story = told.take_story()
    assert story is not None
    assert (story.event.action, story.others, story.target) == ("purchase", 1, "shop")
    assert story.newcomer
    assert [(m.item.item_id, m.before, m.after) for m in story.moves] == [
        ("s1", 4, 1), ("s3", 5, 2), ("s5", 6, 3), ("s0", 1, 4), ("s2", 2, 5),
    ]  # fmt: skip
    assert told.take_story() is None


def test_a_story_has_the_vectors_labels_without_the_rest() -> None:
    told = board()
    update(told, 1.0, 0.0, 100)
    told.add_event(event("video", 200))
    labels = {"Baking": 0.5, "other": 0.3, "Camping": 0.2}
    told.add_update("shop", "c1", np.array([0, 1], np.float32), 200, 0.0, labels)
    story = told.take_story()
    assert story is not None
    assert story.labels == (("Baking", 0.5), ("Camping", 0.2))


def test_what_happened_on_the_target_itself_is_no_migration() -> None:
    told = board()
    update(told, 1.0, 0.0, 100)
    told.add_event(event("video", 200))
    told.add_event(event("shop", 210))
    update(told, 0.0, 1.0, 210, own_share=0.5)
    assert told.take_story() is None


def test_a_first_vector_and_a_mere_look_are_no_story() -> None:
    told = board()
    told.add_event(event("video", 100))
    update(told, 1.0, 0.0, 100)
    told.add_event(event("video", 200, "browse"))
    update(told, 0.0, 1.0, 200)
    assert told.take_story() is None


def test_an_event_by_hand_is_told_first_and_shows_what_rose() -> None:
    told = board()
    update(told, 1.0, 0.0, 100)
    told.add_event(event("video", 200))
    update(told, 1.0, 0.5, 200)
    assert told.take_story(by_hand=True) is None
    told.add_event(event("video", 300, "browse", by_hand=True))
    update(told, 0.5, 1.0, 300)
    story = told.take_story(by_hand=True)
    assert story is not None
    assert story.event.by_hand
    assert story.moves[0].before > story.moves[0].after


def test_an_event_by_hand_that_is_heard_of_after_its_vector_is_told_too() -> None:
    told = board()
    update(told, 1.0, 0.0, 100)
    update(told, 0.0, 1.0, 300)
    told.add_event(event("video", 300, by_hand=True))
    story = told.take_story(by_hand=True)
    assert story is not None
    assert (story.moves[0].before, story.moves[0].after) == (4, 1)


def test_the_first_vector_of_somebody_after_an_event_by_hand_has_no_before() -> None:
    told = board()
    told.add_event(event("video", 300, by_hand=True))
    update(told, 0.0, 1.0, 300)
    story = told.take_story(by_hand=True)
    assert story is not None
    assert {move.before for move in story.moves} == {0}


def test_judgement_ranks_by_vector_and_by_what_is_popular() -> None:
    told = board()
    told.add_event(Happened("ben", "shop", "browse", ITEMS["shop"][0], 1))
    update(told, 0.0, 1.0, 100, own_share=0.0)
    told.add_update("video", "ben", np.array([1, 0], np.float32), 100, 0.25)
    told.add_update("video", "nobody", np.array([1, 0], np.float32), 100, 0.25)

    def relevance(user: str, target: str) -> np.ndarray:
        return np.array([0.0, 1.0] * 3) if user == "ada" else np.array([1.0, 0.0] * 3)

    judged = told.judged(relevance)
    assert judged["shop"].users == ["ada"]
    assert judged["shop"].newcomer.tolist() == [True]
    assert judged["shop"].vectors[0] == 1.0
    assert judged["shop"].popular[0] < 1.0
    assert judged["video"].newcomer.tolist() == [False]
    assert told.vectors_received == 3


def test_a_withdrawn_vector_is_not_judged() -> None:
    told = board()
    update(told, 0.0, 1.0, 100)
    told.forget("shop", "c1")
    assert told.judged(lambda user, target: np.ones(6)) == {}


def test_quiet_people_have_vectors_everywhere_and_few_events() -> None:
    people = {(target, user): user for target in ITEMS for user in ("ada", "ben", "cem")}
    told = Board(board().shown, lambda target, target_id: people.get((target, target_id)))
    for user, targets in {"ada": ITEMS, "ben": ITEMS, "cem": ["shop"]}.items():
        for target in targets:
            told.add_update(target, user, np.array([1, 0], np.float32), 1, 0.0)
    told.add_event(event("video", 100))
    assert told.quiet_people() == ["ben", "ada"]
