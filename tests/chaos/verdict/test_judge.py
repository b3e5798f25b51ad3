"""The judge can fail: whatever is wrong in states, vectors or letters, it sees and names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.chaos.verdict.judge import Published, Verdict, expected_vectors
from tests.e2e.reference import State

STATES = {
    "u/ann": State((3, 1, 0), 5_000, np.ones(4, np.float16).tobytes()),
    "u/bob": State((0, 2, 0), 7_000, np.zeros(4, np.float16).tobytes()),
    "l/shop/sbob": State((0, 4, 0), 8_000, np.full(4, 2, np.float16).tobytes()),
}


def with_(user: str, **changes: Any) -> dict[str, State]:
    fields = {"events": STATES[user].events, "newest_ms": STATES[user].newest_ms}
    return STATES | {user: State(**{**fields, "current": STATES[user].current, **changes})}


def verdict_on(found: dict[str, State]) -> dict[str, int]:
    verdict = Verdict()
    verdict.compare_states(found, STATES)
    wrong = {name: count for name, count in verdict.numbers().items() if count}
    assert verdict.good is not bool(wrong)
    assert bool(verdict.examples) is bool(wrong)
    return wrong


def test_equal_states_are_good() -> None:
    assert verdict_on(dict(STATES)) == {}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (with_("u/ann", events=(2, 1, 0)), {"lost": 1, "wrong_states": 1}),
        (with_("u/ann", events=(5, 1, 0)), {"counted_twice": 2, "wrong_states": 1}),
        # One of each, in one user: the sum is right, and the judge isn't fooled.
        (
            with_("u/ann", events=(2, 2, 0)),
            {"lost": 1, "counted_twice": 1, "wrong_states": 1},
        ),
        (with_("u/bob", newest_ms=6_000), {"wrong_states": 1}),
        (
            with_("u/bob", current=np.full(4, 0.1, np.float16).tobytes()),
            {"wrong_states": 1},
        ),
        ({k: v for k, v in STATES.items() if k != "u/bob"}, {"lost": 2, "wrong_states": 1}),
        (
            STATES | {"u/nobody": State((1, 0, 0), 1, b"")},
            {"counted_twice": 1, "wrong_states": 1},
        ),
    ],
)
def test_a_wrong_state_is_seen(found: dict[str, State], wrong: dict[str, int]) -> None:
    assert verdict_on(found) == wrong


def test_the_last_bit_of_a_float16_is_forgiven() -> None:
    near = np.full(4, 1.001, np.float16).tobytes()
    assert verdict_on(with_("u/ann", current=near)) == {}


SHARES = {"video": 0.75, "shop": 0.25}
OTHERS = {"video": 0.75, "news": 0.25}
VECTORS = {
    ("video", "ann"): Published(4, 5_000, SHARES, np.ones(3, np.float32)),
    ("shop", "sann"): Published(4, 5_000, SHARES, np.full(3, 2.0, np.float32)),
}


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v | {("video", "ann"): replace(v["video", "ann"], events=3)},
        lambda v: v | {("video", "ann"): replace(v["video", "ann"], vector=-np.ones(3))},
        lambda v: v | {("video", "ann"): replace(v["video", "ann"], vector=np.full(3, 1.03))},
        lambda v: v | {("video", "ann"): replace(v["video", "ann"], as_of_ms=4_999)},
        lambda v: v | {("video", "ann"): replace(v["video", "ann"], sources={"video": 1.0})},
        lambda v: v | {("video", "ann"): replace(v["video", "ann"], sources=OTHERS)},
        lambda v: {("video", "ann"): v["video", "ann"]},
        lambda v: v | {("news", "ann"): v["video", "ann"]},
    ],
    ids=[
        "an older one",
        "another one",
        "numbers beyond the rounding",
        "another time",
        "a source that is missing",
        "another source",
        "none",
        "one too many",
    ],
)
def test_a_wrong_last_vector_is_seen(change: Callable[[Any], Any]) -> None:
    verdict = Verdict()
    verdict.compare_vectors(change(VECTORS), VECTORS)
    assert verdict.wrong_final_vectors == 1
    assert not verdict.good
    assert verdict.examples[0].startswith("wrong_final_vectors: ")


def test_the_rounding_on_the_wire_is_forgiven() -> None:
    verdict = Verdict()
    thirds = {"video": 0.6667, "shop": 0.3333}
    exact = {"video": 2 / 3, "shop": 1 / 3, "news": 0.0}
    vector = np.ones(3, np.float32)
    found, wanted = Published(3, 5, thirds, vector + 0.01), Published(3, 5, exact, vector)
    verdict.compare_vectors({("video", "ann"): found}, {("video", "ann"): wanted})
    assert verdict.good


def test_who_must_have_a_vector_where() -> None:
    interests = {user: np.arange(6, dtype=np.float32).reshape(3, 2) for user in STATES}
    targets = {"video": "shared", "shop": "linked", "news": "shared"}
    wanted = expected_vectors(STATES, interests, targets, {"ann": "sann"})
    assert set(wanted) == {
        ("video", "ann"),
        ("news", "ann"),
        ("shop", "sann"),  # linked
        ("video", "bob"),
        ("news", "bob"),
        ("shop", "sbob"),  # a provisional user, known to its own platform only
    }
    assert wanted["shop", "sann"].facts() == (4, 5_000, {"video": 0.75, "shop": 0.25})
    assert wanted["news", "bob"].vector.tolist() == [4.0, 5.0]


def test_numbers_one_by_one() -> None:
    verdict = Verdict()
    verdict.compare_numbers(
        {"ann": [1, 2, 2], "bob": [3, 9], "eve": [8]}, {"ann": [1, 2, 4], "bob": [3]}
    )
    # ann lacks 4 and has 2 again; 9 and 8 were sent to nobody of that name.
    assert (verdict.lost, verdict.counted_twice) == (1, 3)


def test_letters() -> None:
    verdict = Verdict()
    places = [("t", 0, 5), ("t", 1, 6)]
    verdict.compare_letters([*places, places[0]], places)  # the same letter again
    assert verdict.good
    verdict.compare_letters([("t", 0, 5), ("t", 2, 7)], places)
    assert verdict.wrong_dead_letters == 2


def test_phases_add_up() -> None:
    whole, part = Verdict(lost=1, examples=["a"]), Verdict(lost=2, counted_twice=3, examples=["b"])
    whole.add(part)
    assert (whole.lost, whole.counted_twice, whole.examples) == (3, 3, ["a", "b"])
