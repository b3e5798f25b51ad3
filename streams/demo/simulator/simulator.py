"""A world to test against: people with drifting interests on three platforms.

It is pure and seeded: the same arguments give the same events in every process. It knows
the truth, so it can say how far a vector is from what the person is really into.

Behaviour of one session: the person comes to one platform with one topic in mind, browses
items of it (and some that merely are popular), clicks what fits, sometimes purchases. So a
browse says little, a click more, a purchase most.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.demo.simulator.catalogue import Shelf, shelves
from streams.demo.simulator.people import (
    DAY_MS,
    LINKED,
    Interests,
    Person,
    make_person,
    topic_popularity,
)
from streams.demo.simulator.topics import PLATFORMS, TOPICS

DEFAULT_START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
BROWSES_PER_SESSION: Final = 5.0
STAY_ON_TOPIC: Final = 0.8
POPULAR_SHARE: Final = 0.25
CLICK_FITTING: Final = 0.45
CLICK_POPULAR: Final = 0.08
PURCHASE: Final = {"video": 0.04, "shop": 0.2, "news": 0.03}


@dataclass(frozen=True, slots=True)
class SimEvent:
    """One interaction as a platform would report it.

    Attributes:
        event_id: the producer's id; a duplicate repeats it.
        user: canonical user (the platform itself knows it only where ``local_id`` is None).
        local_id: the id that a linked platform knows, None where ids are shared.
        platform, action, item_id: what happened.
        time_ms: when it happened.
        arrival_ms: when the platform reports it; late events arrive long after their time.
    """

    event_id: str
    user: str
    local_id: str | None
    platform: str
    action: str
    item_id: str
    time_ms: int
    arrival_ms: int


@dataclass(frozen=True, slots=True)
class SimLink:
    """A login: from now on ``local_id`` of ``platform`` is known to be ``user``."""

    platform: str
    local_id: str
    user: str
    time_ms: int
    arrival_ms: int


Arrival = SimEvent | SimLink


class Simulator:
    """Users, their events and the truth about them.

    Args:
        seed: of everything random (the items don't depend on it).
        users: number of people.
        start_ms: time of the first day, ms since 1970 UTC.
        drift_days: mean days between two changes of a person's interests.
        duplicate_rate: share of events that are reported twice.
        late_rate: share of events that arrive minutes to hours late.
    """

    def __init__(
        self,
        seed: int,
        users: int,
        *,
        start_ms: int = DEFAULT_START_MS,
        drift_days: float = 10.0,
        duplicate_rate: float = 0.0,
        late_rate: float = 0.0,
    ) -> None:
        self.seed = seed
        self.start_ms = start_ms
        self.duplicate_rate = duplicate_rate
        self.late_rate = late_rate
        self.people = [make_person(seed, index) for index in range(users)]
        self.by_user = {person.user: person for person in self.people}
        self._interests = [Interests(seed, i, start_ms, drift_days) for i in range(users)]
        self._shops = {platform: _Sampler(shelf) for platform, shelf in shelves().items()}

    def truth(self, user: str, time_ms: int) -> NDArray[np.float64]:
        """What ``user`` is into at a time: float64 [topics], sums to 1.

        Raises:
            KeyError: no such user.
        """
        return self._interests[self.by_user[user].index].at(time_ms)

    def relevance(self, user: str, time_ms: int, platform: str) -> NDArray[np.float64]:
        """Expected relevance of each item of a platform, float64 [N]: its topic's share."""
        return self.truth(user, time_ms)[shelves()[platform].topic]

    def target_id(self, user: str, platform: str) -> str | None:
        """The id by which ``platform`` knows ``user``; None where it has no account."""
        person = self.by_user[user]
        if platform not in person.platforms:
            return None
        return person.local_ids.get(platform, user)

    def stream(self, days: int | None = None) -> Iterator[Arrival]:
        """Events and logins in order of arrival; for ever where ``days`` is None.

        Events that arrive after the last day come at the end, so none is missing.
        """
        visits: dict[tuple[int, str], int] = {}
        pending: list[tuple[int, int, Arrival]] = []
        tie = itertools.count()
        for day in itertools.count() if days is None else range(days):
            for person in self.people:
                for arrival in self._day(person, day, visits):
                    heapq.heappush(pending, (arrival.arrival_ms, next(tie), arrival))
            horizon = self.start_ms + (day + 1) * DAY_MS
            while pending and pending[0][0] < horizon:
                yield heapq.heappop(pending)[2]
        while pending:
            yield heapq.heappop(pending)[2]

    def _day(self, person: Person, day: int, visits: dict[tuple[int, str], int]) -> list[Arrival]:
        """What one person does on one day, in order of time."""
        rng = random.Random(f"{self.seed}/{person.index}/{day}")
        # Apart, so that a rate changes what arrives and not what happens.
        mishaps = random.Random(f"{self.seed}/{person.index}/{day}/mishaps")
        start = self.start_ms + day * DAY_MS
        visits_today = _poisson(rng, person.sessions_per_day)
        times = sorted((_hour_of_day(rng) - person.offset) % 1.0 for _ in range(visits_today))
        out: list[Arrival] = []
        now = 0
        for number, time in enumerate(times):
            platform = rng.choices(person.platforms, person.weights)[0]
            session = _Session(person, platform, max(now, start + int(time * DAY_MS)))
            visit = visits.get((person.index, platform), 0)
            visits[person.index, platform] = visit + 1
            events = self._session(session, f"{person.user}.{day}.{number}", rng)
            now = events[-1].time_ms + 60_000
            out.extend(self._faults(events, mishaps))
            if platform in LINKED and visit == person.login_after:
                # The login comes in mid-session: its first events are still anonymous.
                when = events[min(2, len(events) - 1)].time_ms + 1
                local_id = person.local_ids[platform]
                out.append(SimLink(platform, local_id, person.user, when, when))
        return out

    def _session(self, session: _Session, event_id: str, rng: random.Random) -> list[SimEvent]:
        person, platform, time = session.person, session.platform, session.start_ms
        mix = self._interests[person.index].at(time).tolist()
        topics, sampler = range(len(TOPICS)), self._shops[platform]
        topic = rng.choices(topics, mix)[0]
        events: list[SimEvent] = []
        local_id = person.local_ids.get(platform)
        for _ in range(1 + _poisson(rng, BROWSES_PER_SESSION - 1.0)):
            if rng.random() > STAY_ON_TOPIC:
                topic = rng.choices(topics, mix)[0]
            popular = rng.random() < POPULAR_SHARE
            item = sampler.popular(rng) if popular else sampler.of_topic(topic, rng)
            for action in _actions(platform, popular, rng):
                time += int(1000 * rng.uniform(3.0, 45.0))
                name = f"{event_id}.{len(events)}"
                events.append(
                    SimEvent(name, person.user, local_id, platform, action, item, time, time)
                )
        return events

    def _faults(self, events: list[SimEvent], rng: random.Random) -> Iterator[SimEvent]:
        """The events as they arrive: some late, some twice."""
        for event in events:
            late = rng.random() < self.late_rate
            arrival = event.time_ms + (int(rng.uniform(600_000, 6 * 3_600_000)) if late else 0)
            yield replace(event, arrival_ms=arrival)
            if rng.random() < self.duplicate_rate:
                again = arrival + int(rng.uniform(1_000, 30_000))
                yield replace(event, arrival_ms=again)


@dataclass(frozen=True, slots=True)
class _Session:
    person: Person
    platform: str
    start_ms: int


class _Sampler:
    """Draws items of a platform by popularity, within a topic or over all."""

    def __init__(self, shelf: Shelf) -> None:
        self._ids = [item.item_id for item in shelf.items]
        rows = [np.flatnonzero(shelf.topic == k).tolist() for k in range(len(TOPICS))]
        self._topics = [[self._ids[row] for row in of_topic] for of_topic in rows]
        self._weights = [list(itertools.accumulate(shelf.popularity[r])) for r in rows]
        overall = shelf.popularity * topic_popularity()[shelf.topic]
        self._overall = list(itertools.accumulate(overall.tolist()))

    def of_topic(self, topic: int, rng: random.Random) -> str:
        return rng.choices(self._topics[topic], cum_weights=self._weights[topic])[0]

    def popular(self, rng: random.Random) -> str:
        return rng.choices(self._ids, cum_weights=self._overall)[0]


def _actions(platform: str, popular: bool, rng: random.Random) -> tuple[str, ...]:
    """What a person does with one item: browse, perhaps click, perhaps purchase."""
    if rng.random() >= (CLICK_POPULAR if popular else CLICK_FITTING):
        return ("browse",)
    if rng.random() >= PURCHASE[platform]:
        return ("browse", "click")
    return ("browse", "click", "purchase")


def _hour_of_day(rng: random.Random) -> float:
    """Fraction of the local day at which a session starts: most are in the evening."""
    return rng.triangular(0.25, 0.97, 0.82)


def _poisson(rng: random.Random, mean: float) -> int:
    """Knuth's method; fine for means below ten."""
    limit, product, count = np.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


__all__ = ["DEFAULT_START_MS", "PLATFORMS", "Arrival", "SimEvent", "SimLink", "Simulator"]
