"""What is fetched when, and what one fetch becomes. No broker, no thread."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.structs import ConsumerRecord
from faust.types import TP, Message

from streams.intake.dead_letters.repeats import Repeats
from streams.runtime.transport.consumer import BatchConsumer
from streams.runtime.transport.consumer_thread import BatchConsumerThread
from streams.runtime.transport.fetched_batch import FetchedBatch
from tests.unit.streams.runtime.transport.fake_group import (
    ONE,
    TWO,
    Broker,
    assignment_of,
    consumer_on,
    fetched,
)


@pytest.fixture
async def consumer() -> BatchConsumer:
    return consumer_on(Broker())


class Thread:
    """The consumer's thread: what it was asked, and what it gives."""

    def __init__(self, *partitions: TP) -> None:
        self.assignment = assignment_of(*partitions)
        self.asked: list[Any] = []
        self.records: dict[TP, list[ConsumerRecord]] = {}
        self.committed: dict[TP, int | None] | None = {}
        self.ends: dict[TP, int] = {}

    def current(self) -> Assignment:
        return self.assignment

    async def take(self, assignment: Any, partitions: set[TP], timeout_s: float) -> Any:
        assert assignment is self.assignment
        self.asked.append(set(partitions))
        return {tp: records for tp, records in self.records.items() if tp in partitions}

    async def seek_sources(self, assignment: Any, topics: set[str]) -> Any:
        assert assignment is self.assignment
        self.asked.append(topics)
        return self.committed

    async def ends_of(self, assignment: Any, topics: set[str]) -> Any:
        assert assignment is self.assignment
        assert topics == {"t"}
        return self.ends


CHANGES = TP("changelog", 0)


async def assigned(consumer: Any, *partitions: TP) -> Thread:
    """The consumer, just given some partitions."""
    consumer.app.tables._changelogs = {CHANGES.topic: None}
    consumer.app.on_rebalance_return = lambda: None
    consumer._thread = thread = Thread(*partitions)
    await consumer.on_partitions_assigned(set(partitions), 7)
    consumer.resume_flow()  # Faust does, to read the changelog
    return thread


async def recovered(consumer: Any, *partitions: TP) -> Thread:
    """The consumer after the recovery, with the sources sought."""
    thread = await assigned(consumer, *partitions)
    await consumer.perform_seek()
    consumer.resume_flow()
    assert await fetch(consumer) == []
    thread.asked.clear()
    return thread


async def fetch(consumer: Any) -> list[tuple[TP, Message]]:
    return [pair async for pair in consumer.getmany(0.1)]


async def repeats_of(consumer: Any) -> Repeats:
    """What the one batch of a fetch says about its assignment."""
    [(_, message)] = await fetch(consumer)
    repeats: Repeats = cast(Any, message.value).repeats
    return repeats


async def test_a_fetch_is_one_message_per_partition(consumer: Any) -> None:
    thread = await recovered(consumer, ONE, TWO)
    thread.records = {ONE: fetched(ONE, 3, 4, 9), TWO: fetched(TWO, 0)}
    pairs = await fetch(consumer)
    assert [tp for tp, _ in pairs] == [ONE, TWO]
    first = pairs[0][1]
    assert (first.offset, first.timestamp, first.generation_id) == (9, 5.009, 7)
    value: Any = first.value
    assert type(value) is FetchedBatch
    assert (value.topic, value.partition, value.offsets) == ("t", 0, [3, 4, 9])
    assert value.timestamps_ms == [5_003, 5_004, 5_009]
    assert (value.keys, value.values, value.headers) == ([b"k"] * 3, [b"v"] * 3, [()] * 3)


async def test_only_active_partitions_are_fetched(consumer: Any) -> None:
    thread = await recovered(consumer, ONE, TWO)
    consumer._active_partitions = {TWO}
    assert await fetch(consumer) == []
    consumer._active_partitions = set()
    assert await fetch(consumer) == []
    assert thread.asked == [{TWO}]


async def test_a_copy_of_what_is_active_is_fetched(consumer: Any) -> None:
    """Faust's set changes under a fetch that waits; aiokafka takes an empty one for all."""
    thread = await recovered(consumer, ONE)
    took: list[set[TP]] = []

    async def take(assignment: Any, partitions: set[TP], timeout_s: float) -> Any:
        consumer.pause_partitions({ONE})
        took.append(partitions)
        return {}

    cast(Any, thread).take = take
    await fetch(consumer)
    assert took == [{ONE}]


async def test_what_was_taken_is_handed_on_though_its_queue_is_full_by_now(consumer: Any) -> None:
    thread = await recovered(consumer, ONE, TWO)
    thread.records = {ONE: fetched(ONE, 3), TWO: fetched(TWO, 4)}
    got = []
    async for tp, _ in consumer.getmany(0.1):
        got.append(tp)
        consumer.on_buffer_full(TWO)
    assert got == [ONE, TWO]


async def test_of_the_changelog_only_what_the_recovery_still_wants(consumer: Any) -> None:
    thread = await assigned(consumer, ONE, CHANGES)
    thread.records = {CHANGES: fetched(CHANGES, 1)}
    assert [tp for tp, _ in await fetch(consumer)] == [CHANGES]
    take = thread.take

    async def ends(*args: Any) -> Any:
        taken = await take(*args)
        consumer.pause_partitions({CHANGES})
        return taken

    cast(Any, thread).take = ends
    assert await fetch(consumer) == []


async def test_nothing_of_the_sources_is_fetched_before_the_recovery_is_over(
    consumer: Any,
) -> None:
    thread = await assigned(consumer, ONE, TWO, CHANGES)
    await fetch(consumer)
    await consumer.perform_seek()
    await fetch(consumer)  # Faust's queues aren't cleared yet
    assert thread.asked == [{CHANGES}, {CHANGES}]
    consumer.resume_flow()
    thread.committed = {ONE: 17, TWO: None}
    await fetch(consumer)
    await fetch(consumer)
    assert thread.asked[2:] == [{"t"}, {ONE, TWO, CHANGES}]
    assert (consumer.committed_offset(ONE), consumer.committed_offset(TWO)) == (17, None)


async def test_records_are_judged_by_the_ends_of_their_own_assignment(consumer: Any) -> None:
    thread = await assigned(consumer, ONE, TWO, CHANGES)
    thread.records = {ONE: fetched(ONE, 3)}
    thread.committed, thread.ends = {ONE: 3, TWO: None}, {ONE: 4, TWO: 9}
    await consumer.perform_seek()
    consumer.resume_flow()
    await fetch(consumer)
    first, second = await repeats_of(consumer), await repeats_of(consumer)
    assert first == Repeats({ONE: 3, TWO: 0}, {ONE: 4, TWO: 9})
    assert second is first
    await consumer.on_partitions_revoked({ONE, TWO})
    after = await recovered(consumer, ONE)
    after.records = {ONE: fetched(ONE, 3)}
    assert await repeats_of(consumer) == Repeats({}, {})


async def test_a_partition_that_is_being_sought_harms_nobody(consumer: Any) -> None:
    """Faust's own look at partitions asserts that each has a position."""
    await assigned(consumer, ONE)
    consumer.assignment = lambda: {ONE}
    await consumer.verify_all_partitions_active()


async def test_the_sources_are_sought_until_it_has_been_done(consumer: Any) -> None:
    thread = await assigned(consumer, ONE)
    await consumer.perform_seek()
    consumer.resume_flow()
    thread.committed = None  # the group is being joined again
    await fetch(consumer)
    thread.committed = {}
    await fetch(consumer)
    await fetch(consumer)
    assert thread.asked == [{"t"}, {"t"}, {ONE}]


async def test_a_recovery_that_a_rebalance_overtakes_opens_nothing(consumer: Any) -> None:
    thread = await assigned(consumer, ONE)
    seek = consumer.perform_seek()
    await consumer.on_partitions_assigned({ONE, TWO}, 8)
    await seek
    consumer.resume_flow()
    await fetch(consumer)
    assert thread.asked == []


async def test_between_two_assignments_nothing_is_fetched(consumer: Any) -> None:
    thread = await recovered(consumer, ONE)
    await consumer.on_partitions_revoked({ONE})
    consumer.resume_partitions({ONE})
    consumer.resume_flow()
    await fetch(consumer)
    assert thread.asked == []


@pytest.mark.parametrize("what", ["assigned", "revoked", "stopped"])
async def test_a_rebalance_ends_the_fetch_that_it_meets(consumer: Any, what: str) -> None:
    thread = await recovered(consumer, ONE, TWO)
    thread.records = {ONE: fetched(ONE, 3), TWO: fetched(TWO, 4)}
    got = []
    async for tp, _ in consumer.getmany(0.1):
        got.append(tp)
        if what == "assigned":
            await consumer.on_partitions_assigned({ONE, TWO}, 8)
        elif what == "revoked":
            await consumer.on_partitions_revoked({ONE, TWO})
        else:
            consumer.stop_flow()
    assert got == [ONE]


async def test_a_thread_that_has_ended_by_itself_can_be_stopped(consumer: Any) -> None:
    """After a crash its loop is closed by then, and nobody waits in it."""
    thread = BatchConsumerThread(consumer, loop=asyncio.get_running_loop())
    thread.thread_loop.close()
    thread._stopped_set()
    assert thread.should_stop
