"""Identity as a state machine: events, links, moves, repeats, crashes, in any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from streams.log.keys import local_key, user_key
from streams.log.records import Adopt, Event, Release
from streams.update.source_marks import PREFIX
from tests.unit.streams.world import World

users = st.sampled_from(["ann", "bob", "cy"])
local_ids = st.sampled_from([("shop", "1"), ("shop", "2"), ("news", "1")])
sizes = st.lists(st.integers(0, 6), min_size=3, max_size=3)
items = st.integers(0, 24)  # beyond 19: no catalogue knows them
seconds = st.integers(0, 2_000_000)
WHOLE = 10**9


class Identities(RuleBasedStateMachine):
    """Histories fit the window, so there is one right result: each in time order, once."""

    window, fits = 64, True

    @initialize(partitions=st.integers(1, 3))
    def begin(self, partitions: int) -> None:
        self.world = World(partitions, self.window, capacity=16)

    def _sizes(self, sizes: list[int]) -> list[int]:
        return sizes[: self.world.partitions]

    @rule(user=users, item=items, second=seconds)
    def event_of_a_user(self, user: str, item: int, second: int) -> None:
        self.world.event(user_key(user), "video", item, second)

    @rule(local=local_ids, item=items, second=seconds)
    def event_of_a_local_id(self, local: tuple[str, str], item: int, second: int) -> None:
        self.world.event(local_key(*local), local[0], item, second)

    @rule(local=local_ids, user=users)
    def link(self, local: tuple[str, str], user: str) -> None:
        self.world.link(*local, user)

    @rule(local=local_ids)
    def unlink(self, local: tuple[str, str]) -> None:
        self.world.link(*local, None)

    @rule(data=st.data(), last=st.integers(1, 20))
    def repeat(self, data: st.DataObject, last: int) -> None:
        topics = sorted(topic for topic, records in self.world.sent.items() if records)
        if topics:
            self.world.repeat(data.draw(st.sampled_from(topics)), last)

    @rule(sizes=sizes, ahead=st.booleans())
    def process(self, sizes: list[int], ahead: bool) -> None:
        self.world.step(self._sizes(sizes), ahead=ahead)

    @rule(
        sizes=sizes,
        forwards=st.integers(0, 4) | st.just(WHOLE),
        changes=st.integers(0, 4),
        published=st.booleans(),
    )
    def crash(self, sizes: list[int], forwards: int, changes: int, published: bool) -> None:
        self.world.crash(self._sizes(sizes), forwards, changes, published=published)

    @rule(sizes=sizes)
    def crash_before_the_commit(self, sizes: list[int]) -> None:
        self.world.crash(self._sizes(sizes), WHOLE, WHOLE)

    @rule()
    def forget(self) -> None:
        self.world.settle()
        self.world.updater.release()

    @rule(strangers=st.integers(1, 40))
    def evict(self, strangers: int) -> None:
        self.world.evict(strangers)

    @precondition(lambda self: any(self.world.position))
    @rule(back=st.lists(st.integers(1, 12), min_size=3, max_size=3))
    def read_again(self, back: list[int]) -> None:
        self.world.settle()
        position = self.world.position
        self.world.restart([max(0, at - n) for at, n in zip(position, back, strict=False)])

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.check(fits=self.fits)


class FullWindows(Identities):
    """Histories outgrow the window: what can't be placed is left out, nothing counts twice."""

    window = 4
    fits = False


LIMITS = settings(max_examples=60, stateful_step_count=40, report_multiple_bugs=False)
Identities.TestCase.settings = LIMITS
FullWindows.TestCase.settings = LIMITS
TestIdentities = Identities.TestCase
TestFullWindows = FullWindows.TestCase


def one_partition(*, window: int = 64) -> World:
    """Everything in one partition: records for two users arrive from the same place."""
    return World(1, window)


ANN, BOB = user_key("ann"), user_key("bob")
SHOP = local_key("shop", "1")


def test_a_moved_id_leaves_one_user_and_reaches_the_other_in_the_same_partition() -> None:
    world = one_partition()
    world.event(ANN, "video", 1, 10)
    world.link("shop", "1", "ann")
    world.link("shop", "1", "bob")
    world.event(SHOP, "shop", 2, 20)
    world.drain()
    assert world.topic.keys() >= {(1, "1")}
    world.check()


def test_what_happened_before_a_move_stays_with_the_old_user() -> None:
    world = World(3)
    world.event(SHOP, "shop", 1, 10)
    world.link("shop", "1", "ann")
    world.event(SHOP, "shop", 2, 20)
    world.link("shop", "1", "bob")
    world.event(SHOP, "shop", 3, 30)
    world.check()
    counted = {key: len(events) for key, events in world.history.items()}
    assert (counted[ANN], counted[BOB]) == (2, 1)


def test_an_id_without_history_under_its_new_owner_has_no_vector() -> None:
    world = World(3)
    world.event(SHOP, "shop", 1, 10)
    world.link("shop", "1", "ann")
    world.drain()
    assert (1, "1") in world.topic
    world.link("shop", "1", "bob")
    world.check()
    assert (1, "1") not in world.topic


def test_an_unlinked_id_loses_its_vector_and_begins_anew() -> None:
    world = World(3)
    world.event(SHOP, "shop", 1, 10)
    world.link("shop", "1", "ann")
    world.drain()
    world.link("shop", "1", None)
    world.drain()
    assert (1, "1") not in world.topic
    world.event(SHOP, "shop", 2, 20)
    world.check()
    assert world.topic[1, "1"][1] == 1


def test_a_repeat_after_a_move_is_nobodys_second_event() -> None:
    world = one_partition()
    world.link("shop", "1", "ann")
    world.event(SHOP, "shop", 1, 10)
    world.link("shop", "1", "bob")
    world.repeat("shop.click", 1)
    world.check()


def test_a_repeat_amid_an_unlink_keeps_the_store_right() -> None:
    world = one_partition()
    world.event(SHOP, "shop", 1, 10)
    world.link("shop", "1", "ann")
    world.drain()
    world.link("shop", "1", None)
    world.repeat("shop.click", 1)
    world.check()
    world.link("shop", "1", "bob")
    world.check()


@pytest.mark.parametrize("changes", [0, 1, 2, 3, WHOLE])
@pytest.mark.parametrize("forwards", [0, 1, 2, WHOLE])
@pytest.mark.parametrize("then", [None, "bob"])
def test_a_crash_anywhere_amid_an_unlink_or_a_move_changes_nothing(
    then: str | None, forwards: int, changes: int
) -> None:
    world = one_partition()
    world.link("shop", "1", "ann")
    world.drain()
    world.event(SHOP, "shop", 1, 10)
    world.link("shop", "1", then)
    world.crash([2], forwards, changes)
    world.check()


@pytest.mark.parametrize("changes", [0, 1, 2, 3, WHOLE])
def test_a_crash_before_the_vectors_of_a_link_publishes_them_later(changes: int) -> None:
    world = one_partition()
    world.event(ANN, "video", 1, 10)
    world.link("shop", "1", "ann")
    world.step([2])  # the history's owner is told
    world.crash([WHOLE], WHOLE, changes)
    world.check()
    assert (1, "1") in world.topic


def test_a_link_right_behind_an_unlink_that_is_not_stored_yet() -> None:
    world = one_partition()
    world.link("shop", "1", "ann")
    world.event(SHOP, "shop", 1, 10)
    world.drain()
    world.link("shop", "1", None)
    world.event(SHOP, "shop", 2, 20)
    world.step([1], ahead=True)
    world.step([1], ahead=True)
    world.check()


def test_a_provisional_user_after_an_unlink_outlives_its_eviction() -> None:
    world = World(1, capacity=8)
    world.link("shop", "1", "ann")
    world.drain()
    world.link("shop", "1", None)
    world.event(SHOP, "shop", 2, 20)
    world.drain()
    world.evict(20)
    world.event(SHOP, "shop", 3, 30)
    world.check()


def test_a_linked_id_that_is_linked_again_to_the_same_user_forwards_nothing() -> None:
    world = one_partition()
    world.link("shop", "1", "ann")
    world.link("shop", "1", "ann")
    world.drain()
    assert len(world.logs[0]) == 3
    world.check()


def test_reading_everything_again_forwards_and_counts_nothing() -> None:
    world = World(2)
    for n in range(6):
        world.event(SHOP, "shop", n, n)
        world.event(BOB, "video", n, n)
        if n % 2:
            world.link("shop", "1", "ann" if n % 4 == 1 else None)
    world.check()
    stored = dict(world.store.values)
    seen = dict(world.topic)
    for _ in range(2):
        world.restart([0, 0])
        before = sum(map(len, world.logs))
        world.drain()
        users = {k: v for k, v in world.store.values.items() if not k[1].startswith(PREFIX)}
        assert users == {k: v for k, v in stored.items() if not k[1].startswith(PREFIX)}
        assert world.topic == seen
        again = [record for of in world.logs for _, record in of][before:]
        assert not [r for r in again if isinstance(r, Event | Adopt | Release)]


def test_a_link_that_an_unlink_followed_isnt_applied_again_after_half_a_changelog() -> None:
    """The event came after the unlink: it is the local id's, though the marks weren't written."""
    world = World(3)
    world.link("shop", "1", "ann")
    world.link("shop", "1", None)
    world.event(SHOP, "shop", 0, 0)
    world.crash([3, 3, 3], forwards=WHOLE, changes=3)
    world.check()
