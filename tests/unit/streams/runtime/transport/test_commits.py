"""The commit bookkeeping on its own. No broker, no thread."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import CommitFailedError, ConsumerStoppedError
from faust.types import TP, Message
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.rebalance.share import Share
from streams.runtime.transport.consumer import BatchConsumer
from streams.runtime.transport.consumer_thread import BatchConsumerThread
from tests.unit.streams.runtime.transport.fake_group import (
    ONE,
    TWO,
    Broker,
    assignment_of,
    consumer_on,
    fetched,
)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def consumer(broker: Broker) -> BatchConsumer:
    return consumer_on(broker)


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
