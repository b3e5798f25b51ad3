from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from streams.demo.simulator.catalogue import items_by_id, shelves
from streams.demo.simulator.people import DAY_MS, LINKED, NEVER
from streams.demo.simulator.simulator import SimEvent, SimLink, Simulator


def _events(simulator: Simulator, days: int) -> list[SimEvent]:
    return [a for a in simulator.stream(days) if isinstance(a, SimEvent)]


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    first = list(Simulator(7, 30).stream(3))
    assert first == list(Simulator(7, 30).stream(3))
    assert first != list(Simulator(8, 30).stream(3))


def test_an_endless_stream_begins_like_a_bounded_one() -> None:
    bounded = list(Simulator(7, 30).stream(2))
    endless = Simulator(7, 30).stream()
    horizon = Simulator(7, 30).start_ms + DAY_MS
    whole = [a for a in bounded if a.arrival_ms < horizon]
    assert whole == [next(endless) for _ in whole]


def test_arrivals_are_in_order_and_prompt_where_nothing_is_late() -> None:
    arrivals = list(Simulator(7, 50).stream(5))
    times = [a.arrival_ms for a in arrivals]
    assert times == sorted(times)
    assert all(a.arrival_ms == a.time_ms for a in arrivals)


def test_late_and_duplicate_events_come_at_their_rates() -> None:
    events = _events(Simulator(7, 200, late_rate=0.05, duplicate_rate=0.1), 5)
    copies = Counter(e.event_id for e in events)
    first = {e.event_id: e for e in reversed(events)}
    late = [e for e in first.values() if e.arrival_ms - e.time_ms >= 600_000]
    assert sum(n - 1 for n in copies.values()) / len(copies) == pytest.approx(0.1, abs=0.01)
    assert len(late) / len(first) == pytest.approx(0.05, abs=0.01)
    assert [e.arrival_ms for e in events] == sorted(e.arrival_ms for e in events)


def test_faults_change_what_arrives_and_not_what_happens() -> None:
    faulty = _events(Simulator(7, 50, late_rate=0.2, duplicate_rate=0.2), 3)
    clean = _events(Simulator(7, 50), 3)
    assert {replace(e, arrival_ms=e.time_ms) for e in faulty} == set(clean)
    assert len(faulty) > len(clean)


def test_actions_are_plausible_and_only_on_platforms_of_the_person() -> None:
    simulator = Simulator(7, 300)
    events = _events(simulator, 10)
    actions = Counter((e.platform, e.action) for e in events)
    for platform in ("video", "shop", "news"):
        browse, click = actions[platform, "browse"], actions[platform, "click"]
        assert 0.2 < click / browse < 0.5
        assert 0 < actions[platform, "purchase"] < 0.3 * click
    for event in events:
        assert event.platform in simulator.by_user[event.user].platforms
        assert (event.platform, event.item_id) in items_by_id()
        assert (event.local_id is not None) == (event.platform in LINKED)


def test_a_login_comes_once_and_some_never_log_in() -> None:
    simulator = Simulator(7, 200)
    links = [a for a in simulator.stream(20) if isinstance(a, SimLink)]
    assert len({link.local_id for link in links}) == len(links)
    for link in links:
        assert simulator.target_id(link.user, link.platform) == link.local_id
    shoppers = [p for p in simulator.people if "shop" in p.platforms]
    assert any(p.login_after == NEVER for p in shoppers)
    assert 0.75 < len(links) / len(shoppers) < 1.0


def test_what_people_click_follows_the_truth_on_every_platform() -> None:
    simulator = Simulator(7, 200)
    shelf_topic = {key: item.topic for key, item in items_by_id().items()}
    for platform in ("video", "shop", "news"):
        clicks = [e for e in _events(simulator, 10)
                  if e.platform == platform and e.action == "click"]  # fmt: skip
        share = [simulator.truth(e.user, e.time_ms)[shelf_topic[platform, e.item_id]]
                 for e in clicks]  # fmt: skip
        assert np.mean(share) > 0.3


def test_relevance_is_the_truth_by_item() -> None:
    simulator = Simulator(7, 5)
    user, now = simulator.people[0].user, simulator.start_ms
    relevance = simulator.relevance(user, now, "news")
    assert relevance.shape == (len(shelves()["news"].items),)
    topic = shelves()["news"].items[11].topic
    assert relevance[11] == simulator.truth(user, now)[topic]


def test_a_platform_without_an_account_knows_no_id() -> None:
    simulator = Simulator(7, 200)
    person = next(p for p in simulator.people if "shop" not in p.platforms)
    assert simulator.target_id(person.user, "shop") is None
    assert simulator.target_id(person.user, "video") == person.user
