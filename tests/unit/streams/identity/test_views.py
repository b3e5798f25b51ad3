"""A target's vector is what it would be had the sources that it may not use never sent anything."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.effects.effects import Effects
from streams.identity.allowed_sources import allowed_sources, union
from streams.log.records import Consent, Event, LogRecord, Via
from streams.update.updater import Updater
from streams.windows.stored_tail import Privacy
from streams.windows.stored_value import decode_value
from tests.unit.streams.toy import (
    DAY_MS,
    PLATFORMS,
    START_MS,
    MemoryStore,
    ReferenceUser,
    ToyModel,
    batch,
    event,
    in_batches,
    toy_catalogue,
    toy_updater,
)
from tests.unit.streams.update.test_updater import HORIZON, WINDOW, arrival, make_events

ANN = "u/ann"
ALL = (1 << len(PLATFORMS)) - 1
Pair = tuple[str, str]
Seen = dict[int, tuple[bytes, int, int, bytes] | None]
"""Target → vector, events, as-of time and shares of its last message; None: taken back."""


def consent(offset: int, *denied: Pair, allow: bool = False) -> Consent:
    return Consent(Via("interest.consent", 0, offset), allow, denied, START_MS)


@dataclass
class Without:
    """The rules written plainly: a history of its own for each set of sources."""

    kept: int = ALL
    users: dict[int, ReferenceUser] = field(
        default_factory=lambda: {ALL: ReferenceUser(WINDOW, HORIZON)}
    )
    targets: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(3), ALL))

    def consent(self, record: Consent) -> None:
        privacy = Privacy(record.allow, record.pairs)
        self.targets = allowed_sources(privacy, PLATFORMS, PLATFORMS)
        kept = union(self.targets.values())
        held = _held(self.users[self.kept])
        made: dict[int, ReferenceUser] = {}
        for sources in {kept, *self.targets.values()}:
            old = sources & self.kept
            if sources in self.users or old in self.users:
                made[sources] = deepcopy(self.users.get(sources) or self.users[old])
            else:
                made[sources] = ReferenceUser(WINDOW, HORIZON)
                for e in held:
                    if old >> PLATFORMS.index(e.platform) & 1:
                        made[sources].arrive(e)
        self.users, self.kept = made, kept

    def arrive(self, new: Event) -> None:
        for sources, user in self.users.items():
            if sources >> PLATFORMS.index(new.platform) & 1:
                user.arrive(new)

    def seen(self) -> Seen:
        out: Seen = {}
        for target, sources in self.targets.items():
            user = self.users[sources]
            if not user.accepted:
                out[target] = None
                continue
            state = user.state(ToyModel(), toy_catalogue())[None]
            vector = ToyModel().migrate(state)[0, target].tobytes()
            counts = np.bincount([PLATFORMS.index(e.platform) for e in user.accepted], minlength=3)
            shares = (counts / counts.sum()).astype(np.float32)
            out[target] = vector, len(user.accepted), user.accepted[-1].time_ms, shares.tobytes()
        return out


def _held(user: ReferenceUser) -> list[Event]:
    """What the window holds, after what no rebuild needs has expired."""
    start = max(user.ring_start, len(user.accepted) - user.window)
    while start < user.base and user.accepted[start].time_ms < (
        user.accepted[-1].time_ms - user.horizon_ms
    ):
        start += 1
    return user.accepted[start:]


def watch(seen: Seen, effects: Effects) -> None:
    """What the targets have after a batch."""
    if effects.vectors is not None:
        v = effects.vectors
        for place, target in enumerate(v.targets):
            seen[target] = (
                v.vectors[place].tobytes(),
                int(v.events[place]),
                int(v.as_of_ms[place]),
                v.shares[place].tobytes(),
            )
    for target, _, _ in effects.tombstones:
        seen[target] = None


def updater_of_three(window: int = WINDOW) -> Updater:
    return toy_updater(window, linked=False)


names = st.sampled_from([*PLATFORMS, "*"])
wishes = st.builds(
    lambda pairs, allow: (tuple(pairs), allow),
    st.lists(st.tuples(names, names), max_size=4),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(arrival, arrival, arrival, arrival, wishes), min_size=1, max_size=90),
    st.lists(st.integers(1, 30), min_size=1, max_size=20),
    st.booleans(),
)
def test_a_vector_is_that_of_a_history_without_the_others(
    steps: list[object], cuts: list[int], forget: bool
) -> None:
    records: list[tuple[str, LogRecord]] = []
    reference = Without()
    made = iter(make_events([s for s in steps if len(s) == 5]))  # type: ignore[arg-type,misc]
    for offset, step in enumerate(steps):
        if len(step) == 2:  # type: ignore[arg-type]
            pairs, allow = cast(tuple[tuple[Pair, ...], bool], step)
            wish = consent(offset, *pairs, allow=allow)
            records.append((ANN, wish))
            reference.consent(wish)
        else:
            _, new = next(made)
            records.append((ANN, new))
            reference.arrive(new)
    updater, store, seen = updater_of_three(), MemoryStore(), dict.fromkeys(range(3))
    for effects in in_batches(updater, store, records, cuts, forget=forget):
        watch(seen, effects)
    assert seen == reference.seen()


def run(records: Sequence[tuple[str, LogRecord]], window: int = WINDOW) -> tuple[Seen, MemoryStore]:
    updater, store, seen = updater_of_three(window), MemoryStore(), dict.fromkeys(range(3))
    for effects in in_batches(updater, store, records, [1]):
        watch(seen, effects)
    return seen, store


def some_events(count: int) -> list[tuple[str, LogRecord]]:
    """Events of the three platforms in turn, an hour apart."""
    return [
        (
            ANN,
            event(START_MS + n * 3_600_000, offset=n, item=f"i{n % 9}", platform=PLATFORMS[n % 3]),
        )
        for n in range(count)
    ]


def test_a_target_without_allowed_sources_has_a_tombstone() -> None:
    seen, _ = run([*some_events(3), (ANN, consent(0, ("*", "shop")))])
    assert seen[1] is None
    assert seen[0] is not None
    assert seen[2] is not None


def test_sources_that_no_target_may_use_are_not_stored_at_all() -> None:
    before = some_events(6)
    denied = [*before, (ANN, consent(0, ("news", "*"))), *some_events(12)[6:]]
    _, store = run(denied)
    row, tail = decode_value(updater_of_three().slab.layout, store.values[0, ANN])
    assert row["counts"].tolist() == [4, 4, 0]
    assert {int(kind) >> 3 for kind in row["ring"]["kind"][: row["length"]]} == {0, 1}
    assert tail.privacy is not None
    assert tail.privacy.views == ()


def test_a_window_that_would_hold_more_without_the_others_does_so_from_then_on() -> None:
    """The view's window is its own: the others' events push nothing out of it."""
    only_video = ("shop", "video"), ("news", "video")
    records = some_events(40)
    seen, _ = run([(ANN, consent(0, *only_video)), *records])
    videos = [(k, e) for k, e in records if isinstance(e, Event) and e.platform == "video"]
    alone, _ = run(videos)
    assert seen[0] == alone[0]


def test_what_consent_leaves_of_a_long_history_is_what_the_window_holds() -> None:
    records = some_events(40)
    seen, _ = run([*records, (ANN, consent(0, ("shop", "video"), ("news", "video")))])
    held = [r for r in records[-WINDOW:] if isinstance(r[1], Event) and r[1].platform == "video"]
    alone, _ = run(held)
    assert seen[0] == alone[0]
    assert seen[1] == run(records)[0][1], "the other targets keep all that they had"


def test_consent_given_again_goes_on_from_what_there_is() -> None:
    records = some_events(20)
    back = [*records[:10], (ANN, consent(0, ("*", "shop"))), (ANN, consent(1)), *records[10:]]
    assert run(back)[0] == run(records)[0]
    _, store = run(back)
    _, tail = decode_value(updater_of_three().slab.layout, store.values[0, ANN])
    assert tail.privacy is None, "the user is like everybody else again"


def test_nothing_is_published_for_a_target_when_a_source_sends_that_it_may_not_use() -> None:
    updater, store = updater_of_three(), MemoryStore()
    first = [*some_events(3), (ANN, consent(0, ("shop", "video")))]
    store.write(updater.process([batch(0, 0, first)], store))
    shop = event(START_MS + DAY_MS, offset=9, platform="shop")
    effects = updater.process([batch(0, 4, [(ANN, shop)])], store)
    assert effects.vectors is not None
    assert sorted(effects.vectors.targets) == [1, 2]
    video = event(START_MS + 2 * DAY_MS, offset=10)
    effects = updater.process([batch(0, 5, [(ANN, video)])], store)
    assert effects.vectors is not None
    stamps = dict(zip(effects.vectors.targets, effects.vectors.source_ms.tolist(), strict=True))
    assert stamps == dict.fromkeys((0, 1, 2), video.source_ms)


def test_a_crash_between_changelog_and_vectors_publishes_them_again() -> None:
    updater, store = updater_of_three(), MemoryStore()
    records = [*some_events(4), (ANN, consent(0, ("shop", "video"), ("*", "news")))]
    effects = updater.process([batch(0, 0, records)], store)
    store.write(effects)
    first: Seen = {}
    watch(first, effects)
    updater.release()
    again: Seen = {}
    watch(again, updater.process([batch(0, 0, records)], store))
    assert again == first


def test_an_allow_list_is_all_that_is_allowed() -> None:
    seen, _ = run([*some_events(WINDOW), (ANN, consent(0, ("video", "shop"), allow=True))])
    assert (seen[0], seen[2]) == (None, None)
    videos = [
        r for r in some_events(WINDOW) if isinstance(r[1], Event) and r[1].platform == "video"
    ]
    alone, _ = run(videos)
    assert seen[1] == alone[1]


@pytest.mark.parametrize("others", [0, 300])
def test_a_batch_of_many_restricted_users_makes_room(others: int) -> None:
    updater, store = toy_updater(WINDOW, linked=False, capacity=1024), MemoryStore()
    wish = consent(0, ("shop", "video"), ("news", "video"), ("video", "shop"))
    records: list[tuple[str, LogRecord]] = []
    for n in range(others + 1):
        record = Consent(Via("interest.consent", 0, n), wish.allow, wish.pairs, START_MS)
        records.append((f"u/{n}", record))
    records += [(f"u/{n}", event(START_MS, offset=n)) for n in range(others + 1)]
    effects = updater.process([batch(0, 0, records)], store)
    assert effects.vectors is not None
    assert len(effects.vectors) == 2 * (others + 1)  # not for the shop: it may use no video
