"""A user for people to look at: the window inside the horizon, the vectors as published."""

from __future__ import annotations

import json

import numpy as np

from models.contract import ACTIONS
from streams.log.records import Adopt, Consent, LogRecord, Via
from streams.runtime.web.user_view import describe_user
from tests.unit.streams.toy import (
    DAY_MS,
    LOG,
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)

WINDOW = 8


def test_the_window_shows_what_is_inside_the_horizon() -> None:
    updater, store = toy_updater(WINDOW), MemoryStore()
    days = [0, 10, 20, 29, 30, 45]
    records: list[tuple[str, LogRecord]] = [
        ("u/ann", event(START_MS + day * DAY_MS, offset=n, item=f"i{n}", platform="news"))
        for n, day in enumerate(days)
    ]
    updater.process([batch(0, 0, records)], store)
    row = updater.slab.find("u/ann")
    assert row is not None
    assert updater.slab.rows["length"][row] == 6  # a rebuild needs all of them
    seen = describe_user(updater, row, ACTIONS, START_MS + 46 * DAY_MS)
    assert [(e["time_ms"] - START_MS) // DAY_MS for e in seen["window"]] == [20, 29, 30, 45]
    assert seen["window"][0] == {
        "time_ms": START_MS + 20 * DAY_MS,
        "platform": "news",
        "action": "click",
        "item_id": "i2",
    }
    assert seen["events"] == 6
    assert seen["events_by_platform"] == {"video": 0, "shop": 0, "news": 6}
    assert seen["as_of_ms"] == START_MS + 45 * DAY_MS
    assert seen["state_age_s"] == 86_400


def test_exactly_the_horizon_is_shown() -> None:
    updater = toy_updater(WINDOW)
    ends: list[tuple[str, LogRecord]] = [
        ("u/ann", event(START_MS + n * 30 * DAY_MS, offset=n)) for n in (0, 1)
    ]
    updater.process([batch(0, 0, ends)], MemoryStore())
    row = updater.slab.find("u/ann")
    assert row is not None
    assert len(describe_user(updater, row, ACTIONS, START_MS)["window"]) == 2


def test_vectors_ids_and_shares_are_those_that_are_published() -> None:
    updater, store = toy_updater(WINDOW), MemoryStore()
    adopt = Adopt(Via(LOG, 5, 0), "shop", "c-1", b"", START_MS)
    published = updater.process(
        [
            batch(
                0,
                0,
                [
                    ("u/ann", event(START_MS, offset=0, item="unheard of", action="refund")),
                    ("u/ann", event(START_MS + 1, offset=0, platform="shop", identity=9)),
                    ("u/ann", adopt),
                ],
            )
        ],
        store,
    ).vectors
    assert published is not None
    row = updater.slab.find("u/ann")
    assert row is not None
    seen = describe_user(updater, row, ACTIONS, START_MS + 1000)
    json.dumps(seen)
    assert [(v["target"], v["id"]) for v in seen["vectors"]] == [
        ("video", "ann"), ("news", "ann"), ("shop", "c-1"),
    ]  # fmt: skip
    np.testing.assert_allclose([v["vector"] for v in seen["vectors"]], published.vectors, atol=1e-5)
    assert [v["sources"] for v in seen["vectors"]] == 3 * [{"video": 0.5, "shop": 0.5}]
    assert seen["local_ids"] == [{"platform": "shop", "local_id": "c-1"}]
    assert seen["stored_bytes"] == len(updater.slab.value(row))
    assert seen["window"][0]["item_id"] is None
    assert seen["window"][0]["action"] == "refund"


def test_a_user_without_events_has_neither_age_nor_vectors() -> None:
    updater = toy_updater(WINDOW)
    row = updater.slab.insert("u/ann", 0, None)
    seen = describe_user(updater, row, ACTIONS, START_MS)
    assert (seen["events"], seen["as_of_ms"], seen["state_age_s"]) == (0, None, None)
    assert seen["window"] == seen["vectors"] == []


def test_a_provisional_user_of_a_platform_that_is_no_target_has_no_vectors() -> None:
    updater = toy_updater(WINDOW)
    updater.directory.targets.pop("shop")
    updater.process(
        [batch(0, 0, [("l/shop/c-1", event(START_MS, offset=0, platform="shop"))])], MemoryStore()
    )
    row = updater.slab.find("l/shop/c-1")
    assert row is not None
    assert describe_user(updater, row, ACTIONS, START_MS)["vectors"] == []


def test_the_vectors_of_a_user_with_restrictions_are_those_that_are_published() -> None:
    updater, store = toy_updater(WINDOW, linked=False), MemoryStore()
    pairs = (("shop", "video"), ("*", "news"))
    wish = Consent(Via("interest.consent", 0, 0), False, pairs, START_MS)
    records: list[tuple[str, LogRecord]] = [
        ("u/ann", wish),
        *(
            ("u/ann", event(START_MS + n, offset=n, item=f"i{n}", platform=platform))
            for n, platform in enumerate(("video", "shop", "video", "news"))
        ),
    ]
    effects = updater.process([batch(0, 0, records)], store)
    row = updater.slab.find("u/ann")
    assert row is not None
    seen = describe_user(updater, row, ACTIONS, START_MS)
    assert effects.vectors is not None
    published = {
        target: [round(float(x), 5) for x in vector]
        for target, vector in zip(effects.vectors.targets, effects.vectors.vectors, strict=True)
    }
    shown = {("video", "shop", "news").index(v["target"]): v["vector"] for v in seen["vectors"]}
    assert shown == published
    assert set(shown) == {0, 1}
    assert seen["privacy"] == {
        "denied": [{"source": s, "target": t} for s, t in pairs],
        "erased_ms": None,
        "refused": False,
    }
