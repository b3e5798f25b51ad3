"""A fetch takes what it is for, whatever happens while it waits: aiokafka's fetcher, no broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    ConsumerStoppedError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.transport.fetch import Records, take
from streams.runtime.transport.pace import Pace
from tests.unit.streams.runtime.transport.fake_fetcher import OTHER, OWN, Consumer

LONG_S = 60.0


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


async def test_what_is_taken_sets_the_pace(consumer: Any) -> None:
    assignment, pace = consumer.assign(OWN), Pace()
    consumer.arrive(OWN)
    await take(consumer, assignment, {OWN}, 0, pace)
    assert pace.left_s() > 0
