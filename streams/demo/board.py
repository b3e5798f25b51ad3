"""What the demo knows at a time: events sent, vectors received, what moved because of what.

Pure: events and updates in, stories and judgements out; the caller holds a lock around it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.labels import OTHER
from streams.demo.judge import Judged, ndcg
from streams.demo.simulator.catalogue import Item

TOP: Final = 5
REMEMBERED: Final = 40
"""Events of a person that are remembered as possible causes."""
WEIGHT: Final = {"browse": 0.3, "click": 1.0, "purchase": 1.5}


@dataclass(frozen=True, slots=True)
class Shown:
    """One target's items as its recommender sees them.

    Attributes:
        items: N items, in the bundle's order.
        vectors: float32 [N, V], output vectors of the items.
    """

    items: list[Item]
    vectors: NDArray[np.float32]

    def ranks(self, interest: NDArray[np.float32]) -> NDArray[np.int64]:
        """1-based rank of each item under an interest vector, int64 [N]."""
        order = np.argsort(-(self.vectors @ interest), kind="stable")
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(1, len(order) + 1)
        return ranks


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as the demo tells it."""

    user: str
    platform: str
    action: str
    item: Item
    time_ms: int
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """An item that is on top now, with its 1-based ranks (``before`` 0: there was none)."""

    item: Item
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Story:
    """What one person did on one platform, and what that moved on another.

    Attributes:
        event: the strongest of the events in between.
        others: how many more there were.
        target: platform on which ranks moved.
        newcomer: the person has no event on the target.
        moves: the items on top of the target now; after an event by hand those that rose
            most.
        score: how telling it is.
        labels: the person's likeliest labels on the target with their shares, without the rest.
    """

    event: Happened
    others: int
    target: str
    newcomer: bool
    moves: tuple[Move, ...]
    score: float
    labels: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class _Vector:
    user: str
    vector: NDArray[np.float32]
    as_of_ms: int
    newcomer: bool
    previous: _Vector | None
    labels: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Board:
    """State of the demo's terminal.

    Attributes:
        shown: target platform to its items.
        user_of: (target, id that the target knows) to user; None for ids that aren't people
            of the simulator.
    """

    shown: Mapping[str, Shown]
    user_of: Callable[[str, str], str | None]
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    vectors_received: int = 0
    _counts: dict[str, NDArray[np.int64]] = field(init=False)
    _rows: dict[tuple[str, str], int] = field(init=False)
    _recent: dict[str, deque[Happened]] = field(init=False)
    _vectors: dict[tuple[str, str], _Vector] = field(default_factory=dict)
    _stories: list[Story] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counts = {name: np.zeros(len(s.items), np.int64) for name, s in self.shown.items()}
        self._rows = {
            (name, item.item_id): row
            for name, shown in self.shown.items()
            for row, item in enumerate(shown.items)
        }
        self._recent = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def add_event(self, event: Happened) -> None:
        """Somebody did something."""
        self.events[event.platform, event.action] += 1
        self._recent[event.user].append(event)
        if event.by_hand:
            self._tell_later(event)
        row = self._rows.get((event.platform, event.item.item_id))
        if row is not None:
            self._counts[event.platform][row] += 1

    def add_update(
        self,
        target: str,
        target_id: str,
        vector: NDArray[np.float32],
        as_of_ms: int,
        own_share: float,
        labels: Mapping[str, float] | None = None,
    ) -> None:
        """A vector arrived.

        Args:
            target: platform that it is for.
            target_id: the id by which the target knows the person.
            vector: float32 [V].
            as_of_ms: time of the newest event behind it.
            own_share: share of the target's own events in it.
            labels: interest labels and their shares, where the message has any.
        """
        self.vectors_received += 1
        user = self.user_of(target, target_id)
        if user is None:
            return
        before = self._vectors.get((target, target_id))
        words = tuple((k, v) for k, v in (labels or {}).items() if k != OTHER)
        now = _Vector(user, vector, as_of_ms, own_share == 0.0, before, words)
        if before is not None:
            before.previous = None
        self._vectors[target, target_id] = now
        self._tell(target, now)

    def forget(self, target: str, target_id: str) -> None:
        """The target's vector under this id was withdrawn."""
        self._vectors.pop((target, target_id), None)

    def take_story(self, by_hand: bool = False) -> Story | None:
        """The most telling story since the last one was taken.

        Args:
            by_hand: only one about an event sent by hand; other stories stay.
        """
        mine = [story for story in self._stories if story.event.by_hand]
        if by_hand and not mine:
            return None
        best = max(mine or self._stories, key=lambda story: story.score, default=None)
        self._stories.clear()
        return best

    def quiet_people(self) -> list[str]:
        """Who has a vector on every target, those with the fewest events first."""
        held = Counter(vector.user for vector in self._vectors.values())
        whole = [user for user, count in held.items() if count == len(self.shown)]
        return sorted(whole, key=lambda user: (len(self._recent[user]), user))

    def judged(self, relevance: Callable[[str, str], NDArray[np.float64]]) -> dict[str, Judged]:
        """Rankings by vector and by popularity against the truth, by target.

        Args:
            relevance: (user, target) to the relevance of the target's items, in the order of
                :attr:`Shown.items`.
        """
        result = {}
        for target, shown in self.shown.items():
            held = [v for (name, _), v in self._vectors.items() if name == target]
            if not held:
                continue
            truth = np.stack([relevance(v.user, target) for v in held])
            scores = np.stack([v.vector for v in held]) @ shown.vectors.T
            result[target] = Judged(
                users=[v.user for v in held],
                vectors=ndcg(scores, truth),
                popular=ndcg(self._counts[target].astype(np.float64), truth),
                newcomer=np.array([v.newcomer for v in held]),
            )
        return result

    def _tell(self, target: str, now: _Vector) -> None:
        story = self._story(target, now.previous, now)
        if story is not None:
            self._stories.append(story)

    def _tell_later(self, event: Happened) -> None:
        """A hand's event can become known after the vectors that it moved."""
        for (target, _), held in self._vectors.items():
            if held.user == event.user and held.as_of_ms >= event.time_ms:
                self._tell(target, held)

    def _story(self, target: str, before: _Vector | None, now: _Vector) -> Story | None:
        since = before.as_of_ms if before is not None else -1
        causes = [e for e in self._recent[now.user] if since < e.time_ms <= now.as_of_ms]
        by_hand = any(e.by_hand and e.platform != target for e in causes)
        # A move counts as migrated only where nothing happened on the target itself.
        if not causes or (not by_hand and any(e.platform == target for e in causes)):
            return None
        if before is None and not by_hand:
            return None
        event = max(
            (e for e in causes if e.platform != target),
            key=lambda e: (e.by_hand, WEIGHT.get(e.action, 1.0), e.time_ms),
        )
        if event.action == "browse" and not by_hand:
            return None
        moves = self._moves(target, before, now, climbers=by_hand)
        gained = sum(np.log(move.before / move.after) for move in moves if move.before)
        if gained <= 0.0 and not by_hand:
            return None
        others = len(causes) - 1
        # A story about one event is clearer than one about many, and migration proper tells most.
        weight = WEIGHT.get(event.action, 1.0) * (1.5 if now.newcomer else 1.0) / (1 + others)
        score = float(gained) * weight
        return Story(event, others, target, now.newcomer, moves, score, now.labels)

    def _moves(
        self, target: str, before: _Vector | None, now: _Vector, climbers: bool
    ) -> tuple[Move, ...]:
        """Items on top, or with ``climbers`` those that rose most, in order of their rank.

        One event by hand may not reach the top of somebody with many interests; what it moved
        has to be seen all the same.
        """
        shown = self.shown[target]
        ranks = shown.ranks(now.vector)
        if before is None:
            old, chosen = np.zeros_like(ranks), np.argsort(ranks)[:TOP]
        else:
            old = shown.ranks(before.vector)
            order = np.argsort(ranks / old if climbers else ranks, kind="stable")[:TOP]
            chosen = order[np.argsort(ranks[order])]
        return tuple(Move(shown.items[row], int(old[row]), int(ranks[row])) for row in chosen)
