"""What must be equal at the end: every state and last vector, and what a reference makes of it.

Pure: everything comes in as mappings, so that tests can lose an event, count one twice or change
a vector, and see that it is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.subscribe.schema import InterestUpdate
from tests.e2e.reference import State

STATE_TOLERANCE: Final = 0.004
"""A float16 or two: a logarithm's rounding depends on its place in the batch."""
VECTOR_TOLERANCE: Final = 0.02
SHARE_TOLERANCE: Final = 0.0001
"""Shares have 4 decimals on the wire."""
EXAMPLES: Final = 5


@dataclass
class Verdict:
    """What was wrong, and the first examples of it.

    Attributes:
        lost: events that no state has.
        counted_twice: events that a state has more than once, or that nobody sent.
        wrong_states: users whose counts, times or states aren't the reference's.
        wrong_final_vectors: ids whose last vector isn't that of the final state, is missing, or
            should not be there.
        wrong_users: keys of those users.
        wrong_dead_letters: unusable records without a letter, and letters about others.
        examples: some of each, in words.
    """

    lost: int = 0
    counted_twice: int = 0
    wrong_states: int = 0
    wrong_final_vectors: int = 0
    wrong_dead_letters: int = 0
    examples: list[str] = field(default_factory=list)
    wrong_users: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was wrong."""
        return not any(self.numbers().values())

    def numbers(self) -> dict[str, int]:
        """The counts by name."""
        return {
            "lost": self.lost,
            "counted_twice": self.counted_twice,
            "wrong_states": self.wrong_states,
            "wrong_final_vectors": self.wrong_final_vectors,
            "wrong_dead_letters": self.wrong_dead_letters,
        }

    def add(self, other: Verdict) -> None:
        """Sum up two phases."""
        for name, count in other.numbers().items():
            setattr(self, name, getattr(self, name) + count)
        self.examples += other.examples

    def _note(self, kind: str, what: str) -> None:
        if sum(example.startswith(kind) for example in self.examples) < EXAMPLES:
            self.examples.append(f"{kind}: {what}")

    def count_events(
        self, found: Mapping[str, Sequence[int]], expected: Mapping[str, Sequence[int]]
    ) -> None:
        """Compare how many events of each kind each user has."""
        for user in found.keys() | expected.keys():
            zeros = [0] * len(found.get(user, expected.get(user, ())))
            pairs = list(zip(found.get(user, zeros), expected.get(user, zeros), strict=True))
            lost = sum(max(0, want - there) for there, want in pairs)
            twice = sum(max(0, there - want) for there, want in pairs)
            self.lost += lost
            self.counted_twice += twice
            if lost or twice:
                kind = "lost" if lost else "counted_twice"
                self._note(kind, f"{user} has {found.get(user)}, sent {expected.get(user)}")

    def compare_numbers(
        self, found: Mapping[str, Sequence[int]], expected: Mapping[str, Sequence[int]]
    ) -> None:
        """Compare which events each user has, where they are recorded one by one."""
        for user in found.keys() | expected.keys():
            there, want = list(found.get(user, ())), set(expected.get(user, ()))
            lost = len(want - set(there))
            twice = len(there) - len(want & set(there))
            self.lost += lost
            self.counted_twice += twice
            if lost:
                self._note("lost", f"{user} lacks {sorted(want - set(there))[:5]}")
            if twice:
                again = sorted({n for n in there if there.count(n) > 1})
                self._note("counted_twice", f"{user} has {again[:5]} again")

    def compare_states(self, found: Mapping[str, State], expected: Mapping[str, State]) -> None:
        """Compare counts, newest times and states."""
        self.count_events(
            {user: state.events for user, state in found.items()},
            {user: state.events for user, state in expected.items()},
        )
        for user in found.keys() | expected.keys():
            if not _same_state(found.get(user), expected.get(user)):
                self.wrong_states += 1
                self.wrong_users.append(user)
                self._note("wrong_states", f"{user}: {_shown(found, expected, user)}")

    def compare_vectors(
        self,
        found: Mapping[tuple[str, str], Published],
        expected: Mapping[tuple[str, str], Published],
    ) -> None:
        """Compare last vectors by (target, id)."""
        for place in found.keys() | expected.keys():
            there, want = found.get(place), expected.get(place)
            if there is None or want is None or not there.same(want):
                self.wrong_final_vectors += 1
                what = "the numbers of the vector differ"
                if there is None or want is None or there.facts() != want.facts():
                    what = f"{there and there.facts()}, should be {want and want.facts()}"
                self._note("wrong_final_vectors", f"{place[1]} on {place[0]}: {what}")

    def compare_letters(self, found: Iterable[Any], expected: Iterable[Any]) -> None:
        """Compare the source positions of dead letters; the same letter may come again."""
        wrong = set(found) ^ set(expected)
        self.wrong_dead_letters += len(wrong)
        for place in sorted(wrong, key=str)[:EXAMPLES]:
            self._note("wrong_dead_letters", str(place))


@dataclass(frozen=True)
class Published:
    """A last vector, and what its message says of it.

    Attributes:
        events: number of events behind it.
        as_of_ms: time of the newest of them.
        sources: share of each platform in them; platforms without one may be left out.
    """

    events: int
    as_of_ms: int
    sources: Mapping[str, float]
    vector: NDArray[np.float32]

    @classmethod
    def of(cls, update: InterestUpdate) -> Published:
        """What a message says."""
        return cls(update.events, update.as_of_ms, update.sources, update.vector)

    def facts(self) -> tuple[int, int, dict[str, float]]:
        """All but the vector itself."""
        return self.events, self.as_of_ms, {k: round(v, 4) for k, v in self.sources.items() if v}

    def same(self, other: Published) -> bool:
        """Equal events and times; vectors and shares up to the rounding on the wire."""
        if (self.events, self.as_of_ms) != (other.events, other.as_of_ms):
            return False
        of_both = self.sources.keys() | other.sources.keys()
        apart = [abs(self.sources.get(k, 0.0) - other.sources.get(k, 0.0)) for k in of_both]
        near = np.allclose(self.vector, other.vector, rtol=0, atol=VECTOR_TOLERANCE)
        return max(apart, default=0.0) <= SHARE_TOLERANCE and bool(near)


def expected_vectors(
    states: Mapping[str, State],
    interests: Mapping[str, NDArray[np.float32]],
    targets: Mapping[str, str],
    local_ids: Mapping[str, str],
) -> dict[tuple[str, str], Published]:
    """What every target must have at last.

    Args:
        states: final states by user key.
        interests: vectors [P, V] of each user, P in the order of ``targets``.
        targets: ``shared`` or ``linked`` by platform, in the order of the states' counts.
        local_ids: what linked platforms call a linked user, by user id.
    """
    wanted: dict[tuple[str, str], Published] = {}
    for key, state in states.items():
        kind, _, rest = key.partition("/")
        events = sum(state.events)
        shares = {name: count / events for name, count in zip(targets, state.events, strict=True)}
        for place, (target, ids) in enumerate(targets.items()):
            made = Published(events, state.newest_ms, shares, interests[key][place])
            if kind == "l":
                platform, _, local = rest.partition("/")
                if platform == target:
                    wanted[target, local] = made
            elif ids == "shared":
                wanted[target, rest] = made
            elif rest in local_ids:
                wanted[target, local_ids[rest]] = made
    return wanted


def _same_state(there: State | None, want: State | None) -> bool:
    if there is None or want is None:
        return False
    if (there.events, there.newest_ms) != (want.events, want.newest_ms):
        return False
    mine, theirs = (
        np.frombuffer(state.current, np.float16).astype(np.float32) for state in (there, want)
    )
    return bool(np.allclose(mine, theirs, atol=STATE_TOLERANCE))


def _shown(found: Mapping[str, State], expected: Mapping[str, State], user: str) -> str:
    if user not in found or user not in expected:
        return "missing" if user in expected else "nobody sent it an event"
    there, want = found[user], expected[user]
    if (there.events, there.newest_ms) == (want.events, want.newest_ms):
        return "the numbers of the state differ"
    return f"{there.events} up to {there.newest_ms}, should be {want.events} to {want.newest_ms}"
