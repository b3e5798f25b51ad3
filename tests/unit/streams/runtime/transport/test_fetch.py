"""A fetch takes what it is for, whatever happens while it waits: aiokafka's fetcher, no broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState
from aiokafka.errors import (
    ConsumerStoppedError,
    LeaderNotAvailableError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.transport import fetch as fetching
from streams.runtime.transport.fetch import (
    BUSY,
    PACE_S,
    PLENTY,
    SLOWEST_S,
    STEP,
    Pace,
    Records,
    ends_of,
    seek,
    take,
)

OWN, OTHER, LOG = TopicPartition("s", 0), TopicPartition("s", 1), TopicPartition("log", 0)
LONG_S = 60.0


class _Fetcher(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher; what a broker would send is put in by the test."""

    async def _fetch_requests_routine(self) -> None:
        return None

    def request_offset_reset(self, tps: Any, strategy: int) -> Any:
        """Reset to the beginning at once, which a broker would be asked about."""
        done = super().request_offset_reset(tps, strategy)
        for tp in tps:
            self._subscriptions.subscription.assignment.state_value(tp).reset_to(0)
        return done


class _Fetched:
    """What a broker sent of one partition, as aiokafka holds it."""

    _isolation_level = READ_COMMITTED  # so that its records stay what they are here

    def __init__(self, offsets: range) -> None:
        self._left = list(offsets)
        self.next_fetch_offset = offsets.start

    def __iter__(self) -> _Fetched:
        return self

    def __next__(self) -> int:
        if not self._left:
            raise StopIteration
        self.next_fetch_offset = self._left[0] + 1
        return self._left.pop(0)


class Consumer:
    """As much of aiokafka's consumer as fetching takes."""

    def __init__(self) -> None:
        self._subscription = SubscriptionState()
        self._subscription.subscribe({"s", "log"})
        client = SimpleNamespace(_loop=asyncio.get_running_loop(), _metadata_max_age_ms=1)
        self._fetcher = _Fetcher(client, self._subscription)
        self._closed = False
        self._max_poll_records = 100
        self._coordinator = self
        self.committed: dict[TopicPartition, int] = {}
        self.asked: list[TopicPartition] = []

    async def fetch_committed_offsets(
        self, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        self.asked += partitions
        await asyncio.sleep(0)
        return {tp: OffsetAndMetadata(self.committed.get(tp, -1), "") for tp in partitions}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._fetcher.seek_to(tp, offset)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        await self._fetcher.request_offset_reset(partitions, -2)

    def assign(self, *partitions: TopicPartition) -> Assignment:
        self._subscription.assign_from_subscribed(partitions)
        assignment = self._subscription.subscription.assignment
        for tp in partitions:
            assignment.state_value(tp).reset_to(0)
        return assignment

    def arrive(self, *partitions: TopicPartition, count: int = 3) -> None:
        """Records of partitions come from the broker."""
        assignment = self._subscription.subscription.assignment
        for tp in partitions:
            at = assignment.state_value(tp).position
            self._fetcher._records[tp] = FetchResult(
                tp,
                assignment=assignment,
                partition_records=_Fetched(range(at, at + count)),
                backoff=0,
            )
        for waiter in self._fetcher._fetch_waiters:
            self._fetcher._notify(waiter)

    def position(self, tp: TopicPartition) -> int:
        position: int = self._subscription.subscription.assignment.state_value(tp).position
        return position

    async def waiting(self) -> None:
        """Until a fetch waits for records."""
        await turns(lambda: bool(self._fetcher._fetch_waiters))


@pytest.fixture
async def consumer() -> AsyncIterator[Any]:
    made = Consumer()
    yield made
    await made._fetcher.close()


async def turns(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never became so")


def start(consumer: Any, *partitions: TopicPartition) -> asyncio.Task[Records]:
    assignment = consumer._subscription.subscription.assignment
    return asyncio.create_task(take(consumer, assignment, partitions, LONG_S, Pace()))


async def test_records_of_what_is_wanted_and_nothing_else(consumer: Any) -> None:
    assignment = consumer.assign(OWN, OTHER)
    consumer.arrive(OWN, OTHER)
    assert await take(consumer, assignment, {OWN}, 0, Pace()) == {OWN: [0, 1, 2]}
    assert (consumer.position(OWN), consumer.position(OTHER)) == (3, 0)


async def test_nothing_wanted_is_nothing_taken(consumer: Any) -> None:
    """aiokafka takes an empty set for all."""
    assignment = consumer.assign(OWN)
    consumer.arrive(OWN)
    assert await take(consumer, assignment, set(), LONG_S, Pace()) == {}
    assert consumer.position(OWN) == 0


async def test_a_fetch_waits_for_the_first_record(consumer: Any) -> None:
    consumer.assign(OWN, OTHER)
    fetch = start(consumer, OWN)
    await consumer.waiting()
    consumer.arrive(OTHER)
    await asyncio.sleep(0)
    assert not fetch.done()
    consumer.arrive(OWN)
    assert await fetch == {OWN: [0, 1, 2]}
    assert consumer.position(OTHER) == 0


async def test_a_fetch_that_waits_through_a_rebalance_takes_nothing_of_the_next_assignment(
    consumer: Any,
) -> None:
    """The stalled take-over: its records were gone, and where nothing was committed, for good."""
    consumer.assign(OWN)
    fetch = start(consumer, OWN)
    await consumer.waiting()
    consumer._subscription.begin_reassignment()
    consumer.assign(OWN, OTHER)
    consumer.arrive(OWN, OTHER)
    assert await fetch == {}
    assert (consumer.position(OWN), consumer.position(OTHER)) == (0, 0)


async def test_the_set_of_partitions_may_be_emptied_meanwhile(consumer: Any) -> None:
    """Faust empties the set that it gave, when a rebalance begins."""
    assignment = consumer.assign(OWN, OTHER)
    active = {OWN}
    fetch = asyncio.create_task(take(consumer, assignment, active, LONG_S, Pace()))
    await consumer.waiting()
    active.clear()
    consumer.arrive(OTHER)
    consumer.arrive(OWN)
    assert await fetch == {OWN: [0, 1, 2]}
    assert consumer.position(OTHER) == 0


async def test_a_fetch_ends_with_its_assignment_not_with_its_time(consumer: Any) -> None:
    consumer.assign(OWN)
    fetch = start(consumer, OWN)
    await consumer.waiting()
    consumer.assign(OWN)
    assert await asyncio.wait_for(fetch, LONG_S / 2) == {}
    assert not consumer._fetcher._fetch_waiters


async def test_while_the_group_is_joined_again_nothing_is_taken(consumer: Any) -> None:
    assignment = consumer.assign(OWN)
    consumer.arrive(OWN)
    consumer._subscription.begin_reassignment()
    assert await take(consumer, assignment, {OWN}, LONG_S, Pace()) == {}
    assert consumer.position(OWN) == 0


async def test_errors_reach_the_one_who_fetches(consumer: Any) -> None:
    assignment = consumer.assign(OWN)
    fetch = start(consumer, OWN)
    await consumer.waiting()
    consumer._subscription.abort_waiters(TopicAuthorizationFailedError("s"))
    with pytest.raises(TopicAuthorizationFailedError):
        await fetch
    consumer._fetcher._closed = True
    with pytest.raises(ConsumerStoppedError):
        await take(consumer, assignment, {OWN}, 0, Pace())


async def test_seeking_goes_to_what_is_committed_and_else_to_the_beginning(consumer: Any) -> None:
    """Where nothing is committed the position must not stay where something moved it."""
    assignment = consumer.assign(OWN, OTHER, LOG)
    for tp in (OWN, OTHER, LOG):
        consumer.seek(tp, 9)
    consumer.committed = {OWN: 5}
    assert await seek(consumer, assignment, {"s"}) == {OWN: 5, OTHER: None}
    assert [consumer.position(tp) for tp in (OWN, OTHER, LOG)] == [5, 0, 9]
    assert set(consumer.asked) == {OWN, OTHER}


async def test_a_committed_zero_is_a_position(consumer: Any) -> None:
    assignment = consumer.assign(OWN)
    consumer.seek(OWN, 9)
    consumer.committed = {OWN: 0}
    assert await seek(consumer, assignment, {"s"}) == {OWN: 0}
    assert consumer.position(OWN) == 0


async def test_a_seek_that_a_rebalance_overtakes_moves_nothing(consumer: Any) -> None:
    old = consumer.assign(OWN)
    consumer.committed = {OWN: 5}
    under_way = asyncio.create_task(seek(consumer, old, {"s"}))
    await turns(lambda: bool(consumer.asked))
    consumer.assign(OWN)
    assert await under_way is None
    assert consumer.position(OWN) == 0


async def test_the_ends_of_the_sources_are_asked_for(consumer: Any) -> None:
    async def answer(timestamps: Any) -> Any:
        assert set(timestamps.values()) == {-1}
        return {tp: (7 + tp.partition, None) for tp in timestamps}

    assignment = consumer.assign(OWN, OTHER, LOG)
    consumer._fetcher._proc_offset_requests = answer
    assert await ends_of(consumer, assignment, {"s"}) == {OWN: 7, OTHER: 8}


@pytest.mark.parametrize("error", [LeaderNotAvailableError(), TopicAuthorizationFailedError("s")])
async def test_ends_that_nobody_tells_soon_arent_known(
    consumer: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(timestamps: Any) -> Any:
        raise error

    assignment = consumer.assign(OWN)
    consumer._fetcher._proc_offset_requests = refuse
    consumer._fetcher._client.force_metadata_update = lambda: None
    monkeypatch.setattr(fetching, "ENDS_MS", 1)
    assert await ends_of(consumer, assignment, {"s"}) == {}


step = st.sampled_from(["rebalance", "begin", "arrive", "pass"])


@given(st.lists(step, max_size=12))
async def test_what_is_taken_is_exactly_what_positions_moved_over(steps: list[str]) -> None:
    """Whatever comes between, no record is passed over without being handed on."""
    consumer: Any = Consumer()
    consumer.assign(OWN, OTHER)
    got: Records = {}
    fetch = start(consumer, OWN)
    for what in steps:
        if what == "rebalance":
            consumer.assign(OWN, OTHER)
            got = {}
        elif what == "begin":
            consumer._subscription.begin_reassignment()
        elif what == "arrive":
            consumer.arrive(OWN, OTHER)
        await asyncio.sleep(0)
        if fetch.done():
            for tp, offsets in fetch.result().items():
                got.setdefault(tp, []).extend(offsets)
            fetch = start(consumer, OWN)
    fetch.cancel()
    await asyncio.wait({fetch})
    if not fetch.cancelled():
        for tp, offsets in fetch.result().items():
            got.setdefault(tp, []).extend(offsets)
    assert consumer.position(OTHER) == 0
    assert got.get(OWN, []) == list(range(consumer.position(OWN)))
    await consumer._fetcher.close()


def test_a_trickle_is_fetched_at_once_and_a_stream_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace()
    assert pace.left_s() <= 0  # the first fetch
    pace.fetched(3)
    assert pace.left_s() == pytest.approx(PACE_S)  # more comes meanwhile
    now += PACE_S
    assert pace.left_s() <= 0
    pace.fetched(0)
    assert pace.left_s() <= 0  # it waits at the broker's for the next record
    pace.fetched(PLENTY)
    assert pace.left_s() <= 0  # a backlog


@pytest.mark.parametrize(
    ("event_us", "batch_ms", "rate", "slowest"),
    [(20, 2.0, 2_000, PACE_S), (20, 5.0, 20_000, SLOWEST_S), (45, 1.0, 20_000, SLOWEST_S)],
)
def test_a_busy_worker_asks_less_often_until_it_has_room(
    event_us: float, batch_ms: float, rate: int, slowest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose batches cost so much each, and for each event; what it takes of its core."""
    now, cpu = 100.0, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "process_time", lambda: cpu)
    pace, began, spent, longest = Pace(), 0.0, 0.0, 0.0
    for number in range(200):
        if number == 100:
            began, spent = now, cpu
        took = max(pace.left_s(), PACE_S)
        longest = max(longest, took)
        now += took
        records = int(rate * took)
        cpu += batch_ms / 1e3 + records * event_us / 1e6
        pace.fetched(records)
    busy = (cpu - spent) / (now - began)
    assert longest <= slowest * 1.001
    assert busy <= BUSY * STEP or longest == pytest.approx(SLOWEST_S)
    pace.fetched(0)  # a silence: whoever comes next is served at once
    pace.fetched(1)
    assert pace.left_s() <= PACE_S * STEP


def test_requests_for_records_are_held_and_those_for_positions_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = 100.0, ([("node", "request")], {"node": [OWN]}, 0.2, False, ["resumed"])
    monkeypatch.setattr(time, "monotonic", lambda: now)
    fetcher, pace = SimpleNamespace(_get_actions_per_node=lambda assignment: asked), Pace()
    pace.hold(fetcher)
    assert fetcher._get_actions_per_node("assignment") == asked
    pace.fetched(3)
    requests, resets, timeout_s, *rest = fetcher._get_actions_per_node("assignment")
    assert (requests, resets, rest) == ([], {"node": [OWN]}, [False, ["resumed"]])
    assert timeout_s == pytest.approx(PACE_S)  # the fetcher looks again then
    now += PACE_S
    assert fetcher._get_actions_per_node("assignment") == asked


async def test_what_is_taken_sets_the_pace(consumer: Any) -> None:
    assignment, pace = consumer.assign(OWN), Pace()
    consumer.arrive(OWN)
    await take(consumer, assignment, {OWN}, 0, pace)
    assert pace.left_s() > 0
