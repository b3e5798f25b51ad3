"""The commit bookkeeping on its own, and what one fetch becomes. No broker, no thread."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import CommitFailedError, ConsumerStoppedError
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.types import TP, Message
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.fetch import Share
from streams.runtime.transport import BatchConsumer, BatchConsumerThread, FetchedBatch
from tests.unit.streams.runtime.fakes import make_app

ONE, TWO = TP("t", 0), TP("t", 1)


@dataclass
class Broker:
    """What the group coordinator would do with commits."""

    committed: dict[TP, int] = field(default_factory=dict)
    attempts: list[dict[TP, int]] = field(default_factory=list)
    refuse: bool = False
    assigned: set[TP] = field(default_factory=lambda: {ONE, TWO})

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.attempts.append(dict(offsets))
        if self.refuse:
            return False
        self.committed.update(offsets)
        return True


def consumer_on(broker: Broker) -> BatchConsumer:
    """The consumer under test; only what would reach a broker is replaced."""
    app = make_app()

    async def ignore(*_: Any) -> None:
        return None

    consumer: Any = BatchConsumer(
        app.transport,
        callback=ignore,
        on_partitions_revoked=ignore,
        on_partitions_assigned=ignore,
    )
    consumer._thread.thread_loop.close()  # never started
    consumer._commit = broker.commit
    consumer.assignment = lambda: broker.assigned
    consumer.app.producer.flush = ignore
    consumer.app.topics.acks_enabled_for = lambda topic: True
    made: BatchConsumer = consumer
    return made


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def consumer(broker: Broker) -> BatchConsumer:
    return consumer_on(broker)


def fetched(tp: TP, *offsets: int) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(tp.topic, tp.partition, o, 5_000 + o, 0, b"k", b"v", None, 1, 1, ())
        for o in offsets
    ]


def assignment_of(*partitions: TP) -> Assignment:
    return Assignment([TopicPartition(*tp) for tp in partitions])


def message(consumer: BatchConsumer, tp: TP, *offsets: int) -> Message:
    made = consumer._batch_message(tp, fetched(tp, *offsets), Share(assignment_of(tp), 1))
    consumer.track_message(made)
    return made


async def test_batches_in_order_are_committed_to_after_their_last_record(
    consumer: BatchConsumer, broker: Broker
) -> None:
    first, second = message(consumer, ONE, 0, 1, 2), message(consumer, ONE, 3, 4)
    other = message(consumer, TWO, 7)
    assert not await consumer.commit()
    assert consumer.ack(first)
    assert await consumer.commit()
    assert broker.committed == {ONE: 3}
    assert consumer.ack(second)
    assert consumer.ack(other)
    assert await consumer.commit()
    assert broker.committed == {ONE: 5, TWO: 8}
    assert (consumer.next_offset(ONE), consumer.committed_offset(ONE)) == (5, 5)


async def test_what_is_committed_is_not_committed_again(
    consumer: BatchConsumer, broker: Broker
) -> None:
    consumer.ack(message(consumer, ONE, 0, 1))
    await consumer.commit()
    assert not await consumer.commit()
    assert broker.attempts == [{ONE: 2}]


async def test_an_unfinished_batch_is_not_committed_whatever_came_before(
    consumer: BatchConsumer, broker: Broker
) -> None:
    consumer.ack(message(consumer, ONE, 0, 1))
    under_way = message(consumer, ONE, 2, 3)
    await consumer.commit()
    assert broker.committed == {ONE: 2}
    assert under_way in consumer._unacked_messages


async def test_offsets_may_have_gaps(consumer: BatchConsumer, broker: Broker) -> None:
    """Compaction and transactions leave holes: they hold up nothing."""
    consumer.ack(message(consumer, ONE, 10, 14, 19))
    await consumer._add_gap(ONE, 20, 39)
    consumer.ack(message(consumer, ONE, 40, 41))
    await consumer.commit()
    assert broker.committed == {ONE: 42}


async def test_a_batch_acked_twice_counts_once(consumer: BatchConsumer, broker: Broker) -> None:
    late = message(consumer, ONE, 0, 1)
    assert consumer.ack(late)
    assert not consumer.ack(late)
    consumer.ack(message(consumer, ONE, 2, 3))
    assert not consumer.ack(late)
    await consumer.commit()
    assert broker.committed == {ONE: 4}
    assert consumer._n_acked == 2


async def test_a_failed_commit_is_tried_again(consumer: BatchConsumer, broker: Broker) -> None:
    """Faust counts it as done and stays behind for ever if nothing else comes (issue 316)."""
    consumer.ack(message(consumer, ONE, 0, 1))
    broker.refuse = True
    assert not await consumer.commit()
    assert consumer.committed_offset(ONE) is None
    broker.refuse = False
    assert await consumer.commit()
    assert broker.committed == {ONE: 2}


async def test_a_failed_commit_keeps_the_last_good_position(
    consumer: BatchConsumer, broker: Broker
) -> None:
    consumer.ack(message(consumer, ONE, 0))
    await consumer.commit()
    consumer.ack(message(consumer, ONE, 1))
    broker.refuse = True
    await consumer.commit()
    assert consumer.committed_offset(ONE) == 1


async def test_a_commit_that_raises_does_not_count_as_done(consumer: Any, broker: Broker) -> None:
    async def raises(offsets: Any) -> bool:
        raise CommitFailedError("the group has moved on")

    consumer.ack(message(consumer, ONE, 0))
    consumer._commit = raises
    with pytest.raises(CommitFailedError):
        await consumer.commit()
    assert consumer.committed_offset(ONE) is None
    consumer._commit = broker.commit
    assert await consumer.commit()
    assert broker.committed == {ONE: 1}


async def test_the_last_commit_has_what_was_finished_while_another_was_under_way(
    consumer: Any, broker: Broker
) -> None:
    """Before a stop and a rebalance: stock Faust would leave the second batch uncommitted."""
    gate, begun = asyncio.Event(), asyncio.Event()

    async def slow(offsets: dict[TP, int]) -> bool:
        begun.set()
        await gate.wait()
        return await broker.commit(offsets)

    consumer._commit = slow
    consumer.ack(message(consumer, ONE, 0, 1))
    periodic = asyncio.create_task(consumer.commit())
    await begun.wait()
    consumer.ack(message(consumer, ONE, 2, 3))
    last = [asyncio.create_task(consumer.commit()) for _ in range(2)]
    await asyncio.sleep(0)
    gate.set()
    assert await periodic
    assert sorted([await task for task in last]) == [False, True]
    assert broker.attempts == [{ONE: 2}, {ONE: 4}]


async def test_revoked_partitions_are_forgotten(consumer: BatchConsumer, broker: Broker) -> None:
    consumer.ack(message(consumer, ONE, 0, 1))
    consumer.ack(message(consumer, TWO, 0, 1))
    await consumer.on_partitions_revoked({ONE})
    broker.assigned = {TWO}
    await consumer.commit()
    assert broker.committed == {TWO: 2}
    assert consumer._next_offset == {TWO: 2}


async def test_a_commit_of_a_partition_of_somebody_else_is_dropped(
    consumer: BatchConsumer, broker: Broker
) -> None:
    consumer.ack(message(consumer, ONE, 0, 1))
    broker.assigned = {TWO}
    assert not await consumer.commit()
    assert broker.attempts == []


async def test_topics_without_acks_are_left_alone(consumer: Any, broker: Broker) -> None:
    consumer.app.topics.acks_enabled_for = lambda topic: False
    assert consumer.ack(message(consumer, ONE, 0, 1))
    assert not await consumer.commit()
    assert broker.attempts == []


async def test_only_the_topics_that_are_asked_for_are_committed(
    consumer: BatchConsumer, broker: Broker
) -> None:
    other = TP("u", 0)
    broker.assigned = {ONE, other}
    consumer.ack(message(consumer, ONE, 0))
    consumer.ack(message(consumer, other, 4))
    await consumer.commit({"u"})
    assert broker.committed == {other: 5}
    await consumer.commit({ONE})
    assert broker.committed == {other: 5, ONE: 1}


async def test_before_the_end_what_is_on_its_way_is_committed_and_nothing_else_waited_for(
    consumer: Any, broker: Broker
) -> None:
    """Faust waits for every batch that it handed on: after a failure, for ever."""
    on_its_way, waits = message(consumer, ONE, 0, 1), message(consumer, ONE, 2)

    async def quiesce() -> None:
        consumer.ack(on_its_way)

    consumer.app.quiesce = quiesce
    await consumer.wait_empty()
    assert broker.committed == {ONE: 2}
    assert waits in consumer._unacked_messages


async def test_a_thread_that_has_ended_answers_nobody(consumer: Any) -> None:
    """mode waits for its answer for ever: the end after a failure hung on the last commit."""
    thread = BatchConsumerThread(consumer)
    asked = asyncio.Event()

    class Silent:
        async def call(self, promise: Any, *_: Any, **__: Any) -> Any:
            asked.set()
            return promise

    cast(Any, thread)._method_queue = Silent()
    call = asyncio.create_task(thread.call_thread(lambda: None))
    await asked.wait()
    assert not call.done()
    thread._shutdown.set()
    with pytest.raises(ConsumerStoppedError):
        await call
    with pytest.raises(ConsumerStoppedError):
        await thread.call_thread(lambda: None)
    thread.thread_loop.close()  # never started
    consumer.app.quiesce = consumer.callback
    consumer._commit = thread.call_thread
    consumer.ack(message(consumer, ONE, 0))
    await consumer.wait_empty()


async def test_before_the_first_batch_the_position_is_the_fetchers(
    consumer: Any,
) -> None:
    assert consumer.next_offset(ONE) is None
    consumer._position = lambda tp: 17
    assert consumer.next_offset(ONE) == 17
    consumer.ack(message(consumer, ONE, 17, 18))
    assert consumer.next_offset(ONE) == 19


step = st.tuples(st.sampled_from([ONE, TWO]), st.integers(1, 5), st.integers(0, 3))


@given(st.lists(step, max_size=30), st.randoms(use_true_random=False))
async def test_whatever_fails_the_broker_never_has_more_than_is_finished(
    steps: list[tuple[TP, int, int]], random: Any
) -> None:
    """Batches of any size with gaps between them, commits that fail at random."""
    broker = Broker()
    consumer = consumer_on(broker)
    ends, finished = {ONE: 0, TWO: 0}, {ONE: 0, TWO: 0}
    waiting: list[tuple[Message, TP, int]] = []
    for tp, count, gap in steps:
        start = ends[tp] + gap
        ends[tp] = start + count
        waiting.append((message(consumer, tp, *range(start, ends[tp])), tp, ends[tp]))
        if random.random() < 0.6:
            done, where, end = waiting.pop(0)
            consumer.ack(done)
            finished[where] = end
        broker.refuse = random.random() < 0.4
        await consumer.commit()
        assert all(broker.committed.get(tp, 0) <= finished[tp] for tp in finished)
    broker.refuse = False
    await consumer.commit()
    assert {tp: broker.committed.get(tp, 0) for tp in finished} == finished


# -- what is fetched when, and what a fetch becomes


class Thread:
    """The consumer's thread: what it was asked, and what it gives."""

    def __init__(self, *partitions: TP) -> None:
        self.assignment = assignment_of(*partitions)
        self.asked: list[Any] = []
        self.records: dict[TP, list[ConsumerRecord]] = {}
        self.committed: dict[TP, int | None] | None = {}

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
