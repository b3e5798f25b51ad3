"""Awkward events, rule by rule, through the real intake and update."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from streams.log.keys import local_key, user_key
from tests.integration.update.with_intake import ANN, BOB, HOUR_MS, Line, event
from tests.unit.streams.toy import START_MS


def test_the_items_of_a_purchase_take_effect_in_their_order_at_one_time() -> None:
    together = event(1, action="purchase", items=["i1", "i2", {"item_id": "i3"}])
    line = Line().send("video", "ann", together)
    one_by_one = Line().send("video", "ann", *(event(1, f"i{n}", "purchase") for n in (1, 2, 3)))
    assert line.events(ANN) == 3
    assert line.state(ANN) == one_by_one.state(ANN)


def test_a_purchase_of_which_the_log_has_a_part_is_completed() -> None:
    """Intake crashed amid a record: what is repeated is told item by item."""
    line, whole = Line(), Line()
    purchase = event(1, action="purchase", items=["i1", "i2", "i3"])
    whole.send("video", "ann", purchase)
    line.sources["video", 0] = whole.sources["video", 0]
    line.records = whole.records[:2]
    line.again("video")
    assert line.events(ANN) == 3
    assert line.state(ANN) == whole.state(ANN)


def test_a_refund_is_an_event_of_its_own_and_takes_nothing_back() -> None:
    bought = [event(1, "i1", "purchase", event_id="p1"), event(2, "i2")]
    kept = Line().send("video", "ann", *bought)
    back = Line().send("video", "ann", *bought, event(3, "i1", "refund", event_id="r1"))
    assert (kept.events(ANN), back.events(ANN)) == (2, 3)
    assert back.state(ANN) != kept.state(ANN)
    counts = back.updater.slab.rows["counts"][back.row(ANN)]
    assert counts.tolist() == [3, 0, 0]


def test_a_chain_of_links_is_not_followed() -> None:
    """A link names a user; that the user's id is a local id too, somewhere, says nothing."""
    line = Line().send("shop.links", "c-1", {"user_id": "c-2"})
    line.send("shop.links", "c-2", {"user_id": "ann"})
    line.send("shop", "c-1", event(1)).send("shop", "c-2", event(2))
    assert (line.events(user_key("c-2")), line.events(ANN)) == (1, 1)
    assert line.topic["shop", "c-1"] == 1


def test_a_circle_of_links_ends_nowhere_else() -> None:
    line = Line().send("shop.links", "c-1", {"user_id": "c-2"})
    line.send("shop.links", "c-2", {"user_id": "c-1"})
    line.send("shop", "c-1", event(1), event(2)).send("shop", "c-2", event(3))
    assert (line.events(user_key("c-2")), line.events(user_key("c-1"))) == (2, 1)
    assert len(line.records) == 10, "two links, two adoptions, three events and one forward each"


@examples(max_examples=30)
@given(
    st.lists(st.sampled_from(["video", "news", "c-1", "c-2"]), min_size=1, max_size=16),
    st.randoms(use_true_random=False),
)
def test_links_after_a_history_make_one_history_on_every_target(whose: list[str], rng: Any) -> None:
    """Events of two platforms under the user id, of the third under two local ids, then links."""
    events = list(enumerate(whose))  # hours, and where each is sent
    arrivals = rng.sample(events, len(events))

    def send(line: Line, hour: int, where: str) -> None:
        topic, key = ("shop", where) if where.startswith("c-") else (where, "ann")
        line.send(topic, key, event(hour, f"i{hour % 5}", event_id=f"e{hour}"))

    def link(line: Line, local: str) -> None:
        line.send("shop.links", local, {"user_id": "ann"})

    late, known = Line(window=32), Line(window=32)
    links = rng.sample(["c-1", "c-2"], 2)
    middle = rng.randrange(len(arrivals) + 1)
    for hour, where in arrivals[:middle]:
        send(late, hour, where)
    link(late, links[0])
    for hour, where in arrivals[middle:]:
        send(late, hour, where)
    link(late, links[1])
    for local in links:
        link(known, local)
    for hour, where in events:
        send(known, hour, where)
    assert late.events(ANN) == len(events)
    assert late.state(ANN) == known.state(ANN)
    assert late.messages == known.messages
    assert set(known.messages) == {
        *(("video", "ann"), ("news", "ann")), *(("shop", local) for local in links)
    }  # fmt: skip


def test_a_merge_keeps_the_marks_of_both_histories() -> None:
    """What both sources sent before the link is known when they send it again after it."""
    line = Line().send("video", "ann", event(1), event(3))
    line.send("shop", "c-1", event(2), event(4)).send("shop.links", "c-1", {"user_id": "ann"})
    assert line.events(ANN) == 4
    before = line.state(ANN)
    line.again("video").again("shop").again("shop.links")
    assert (line.events(ANN), line.state(ANN)) == (4, before)
    line.updater.release()
    line.read = 0  # and the log from its beginning
    line.send("video", "ann", event(5))
    assert line.events(ANN) == 5


def test_a_merge_keeps_the_identities_of_both_histories() -> None:
    line = Line().send("video", "ann", event(1, event_id="a"))
    line.send("shop", "c-1", event(2, event_id="b")).send("shop.links", "c-1", {"user_id": "ann"})
    line.send("video", "ann", event(5, event_id="a"), partition=1)
    line.send("shop", "c-1", event(6, event_id="b"), partition=1)
    assert line.events(ANN) == 2


def test_an_item_that_becomes_known_counts_as_known_when_its_window_is_replayed() -> None:
    line = Line().send("video", "ann", event(1, "brand-new"), event(9, "i2"))
    unknown = line.state(ANN)
    line.updater.catalogue.items[0].add("brand-new", np.full(8, 0.5, np.float32))
    assert line.state(ANN) == unknown, "what has counted stays"
    line.send("video", "ann", event(5, "i3"))  # late: the window is replayed
    known = Line()
    known.updater.catalogue.items[0].add("brand-new", np.full(8, 0.5, np.float32))
    known.send("video", "ann", event(1, "brand-new"), event(5, "i3"), event(9, "i2"))
    assert line.state(ANN) == known.state(ANN)


def test_a_platforms_topic_that_is_read_again_from_its_beginning_counts_nothing() -> None:
    line = Line(window=4)
    line.send("video", "ann", *(event(n, f"i{n}") for n in range(20)))
    line.send("video", "bob", *(event(n, f"i{n}") for n in range(3)), partition=1)
    before = line.events(ANN), line.state(ANN), line.events(BOB), line.state(BOB)
    line.again("video").again("video", 1)
    assert (line.events(ANN), line.state(ANN), line.events(BOB), line.state(BOB)) == before
    assert line.effects.counts.skipped["repeated"] == 3


def test_a_topic_that_grows_by_a_partition_loses_and_repeats_nothing() -> None:
    """A key's records then come from two partitions; each has marks of its own."""
    line, straight = Line(), Line()
    line.send("video", "ann", event(1), event(2))
    line.send("video", "ann", event(3), event(5), partition=7)
    line.send("video", "ann", event(4))  # the producer hadn't heard of it yet
    line.again("video").again("video", 7)
    straight.send("video", "ann", *(event(n) for n in (1, 2, 3, 4, 5)))
    assert line.events(ANN) == 5
    assert line.state(ANN) == straight.state(ANN)


def test_a_platform_that_stops_for_a_week_comes_back_in_time_order() -> None:
    """Its backlog is late, but inside the window: the state is that of no interruption."""
    week = 7 * 24
    video = [event(24.0 * n, f"i{n}") for n in range(8)]
    news = [event(week / 3 + n, f"i{n}") for n in range(4)]
    stopped = Line(window=16).send("video", "ann", *video)
    shares = stopped.updater.slab.rows["counts"][stopped.row(ANN)].tolist()
    assert shares == [8, 0, 0], "the others go on, and nothing decays"
    stopped.send("news", "ann", *news)
    ever = sorted(
        [("video", e) for e in video] + [("news", e) for e in news],
        key=lambda pair: pair[1]["time"],
    )
    steady = Line(window=16)
    for topic, one in ever:
        steady.send(topic, "ann", one)
    assert stopped.state(ANN) == steady.state(ANN)
    assert stopped.topic == steady.topic


@pytest.mark.parametrize("ahead_hours", [0, 72, -1_000, 400_000])
def test_an_event_by_a_wrong_clock_takes_its_true_place(ahead_hours: int) -> None:
    """A phone that says when it sent what it sends; it was received four hours after the start."""
    right = Line().send("video", "ann", *(event(n, f"i{n}") for n in (1, 2, 3)))
    line = Line()
    line.stamp_ms = START_MS + 4 * HOUR_MS
    line.send("video", "ann", event(1, "i1"), event(3, "i3"))
    ahead_ms = ahead_hours * HOUR_MS
    phone = event(2 + ahead_hours, "i2", sent_at=line.stamp_ms + ahead_ms)
    line.send("video", "ann", phone)
    assert (line.state(ANN), line.messages) == (right.state(ANN), right.messages)


@pytest.mark.parametrize("first", ["video.click", "video.purchase"])
def test_an_event_id_counts_once_over_topics_items_and_times(first: str) -> None:
    topics = {"video.click": event(1, "i1"), "video.purchase": event(2, "i2", "purchase")}
    line = Line().send(first, "ann", topics.pop(first) | {"event_id": "e1"})
    before = line.state(ANN), line.messages["video", "ann"]
    ((second, other),) = topics.items()
    line.send(second, "ann", other | {"event_id": "e1"})
    assert not line.dead
    assert (line.events(ANN), line.updater.slab.rows["counts"][line.row(ANN)].sum()) == (1, 1)
    assert (line.state(ANN), line.messages["video", "ann"]) == before
    line.send(second, "ann", other | {"event_id": "e2"})
    assert line.events(ANN) == 2


def test_without_an_event_id_the_key_is_part_of_what_an_event_is() -> None:
    line = Line().send("shop.links", "c-1", {"user_id": "ann"})
    line.send("shop", "c-1", event(1)).send("shop", "ann", event(1, user_id="ann"))
    assert line.events(ANN) == 2
    line.send("shop", "ann", event(2, user_id="ann", event_id="e"))
    line.send("shop", "c-1", event(2, event_id="e"))
    assert line.events(ANN) == 3


def test_an_event_with_neither_id_nor_time_counts_each_time_it_is_sent() -> None:
    bare = {"item_id": "i1", "action": "click"}
    line = Line().send("video", "ann", bare)
    line.stamp_ms += 1  # Kafka's timestamp is the event's time
    line.send("video", "ann", bare)
    assert line.events(ANN) == 2


def test_a_new_topic_of_the_same_name_looks_like_repeats_until_it_passes_the_old_one() -> None:
    line = Line().send("video", "ann", event(1), event(2), event(3))
    line.sources["video", 0] = []
    line.send("video", "ann", *(event(10 + n) for n in range(5)))
    assert line.events(ANN) == 3 + 2
    assert line.effects.counts.skipped["repeated"] == 3


def test_a_provisional_history_is_its_platforms_alone() -> None:
    line = Line().send("shop", "c-1", event(1))
    assert line.topic == {("shop", "c-1"): 1}
    assert line.events(local_key("shop", "c-1")) == 1
