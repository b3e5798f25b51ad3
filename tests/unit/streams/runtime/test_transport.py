"""The commit bookkeeping on its own, and what one fetch becomes. No broker, no thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError
from aiokafka.structs import ConsumerRecord
from faust.types import TP, Message
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.transport import BatchConsumer, FetchedBatch
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
    consumer.highwater = lambda tp: 1_000
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


def message(consumer: BatchConsumer, tp: TP, *offsets: int) -> Message:
    made = consumer._batch_message(tp, fetched(tp, *offsets))
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


async def test_waiting_for_the_last_batch_ends_with_its_ack(consumer: Any, broker: Broker) -> None:
    consumer._waiting_for_ack = consumer.loop.create_future()
    consumer.ack(message(consumer, ONE, 0))
    assert consumer._waiting_for_ack.done()
    await consumer.wait_empty()
    assert broker.committed == {ONE: 1}


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


# -- what a fetch becomes


async def fetch(consumer: Any, records: Any, active: set[TP] | None) -> list[tuple[TP, Message]]:
    async def wait_next_records(timeout: float) -> tuple[Any, set[TP] | None]:
        return records, active

    consumer._wait_next_records = wait_next_records
    stream: AsyncIterator[tuple[TP, Message]] = consumer.getmany(0.1)
    return [pair async for pair in stream]


async def test_a_fetch_is_one_message_per_partition(consumer: BatchConsumer) -> None:
    records = {ONE: fetched(ONE, 3, 4, 9), TWO: fetched(TWO, 0)}
    pairs = await fetch(consumer, records, {ONE, TWO})
    assert [tp for tp, _ in pairs] == [ONE, TWO]
    first = pairs[0][1]
    assert (first.offset, first.timestamp) == (9, 5.009)
    value: Any = first.value
    assert type(value) is FetchedBatch
    assert (value.topic, value.partition, value.offsets) == ("t", 0, [3, 4, 9])
    assert value.timestamps_ms == [5_003, 5_004, 5_009]
    assert (value.keys, value.values, value.headers) == ([b"k"] * 3, [b"v"] * 3, [()] * 3)


async def test_partitions_that_are_not_active_are_left_out(consumer: BatchConsumer) -> None:
    records = {ONE: fetched(ONE, 3), TWO: []}
    assert await fetch(consumer, records, {TWO}) == []
    assert await fetch(consumer, None, {TWO}) == []
    consumer._buffered_partitions = {ONE}
    assert [tp for tp, _ in await fetch(consumer, records, {TWO})] == [ONE]


async def test_what_a_stopped_flow_fetched_is_dropped_and_sought_back(
    consumer: Any,
) -> None:
    sought = []

    async def seek() -> None:
        sought.append(True)
        raise OSError("no broker")  # is only logged: the fetch after it tries again

    consumer.seek_to_committed = seek
    consumer.stop_flow()
    assert await fetch(consumer, {ONE: fetched(ONE, 3)}, {ONE}) == []
    assert sought == [True]


async def test_nothing_of_the_sources_is_fetched_before_the_recovery_has_sought(
    consumer: Any,
) -> None:
    asked: list[set[TP]] = []

    class Thread:
        async def getmany(self, active: set[TP], timeout: float) -> dict[TP, Any]:
            asked.append(active)
            return {}

        async def seek_to_committed(self) -> dict[TP, int]:
            return {}

    consumer._thread = Thread()
    consumer.resume_flow()  # Faust does, to read the changelog
    assert await consumer._getmany({ONE, TWO}, 0.1) == {}
    await consumer.perform_seek()
    await consumer._getmany({ONE, TWO}, 0.1)  # Faust's queues aren't cleared yet
    assert asked == []
    consumer.resume_flow()
    await consumer._getmany({ONE, TWO}, 0.1)
    assert asked == [{ONE, TWO}]


async def test_a_rebalance_ends_the_fetch_that_it_meets(consumer: Any) -> None:
    async def wait_next_records(timeout: float) -> tuple[Any, set[TP]]:
        return {ONE: fetched(ONE, 3), TWO: fetched(TWO, 4)}, {ONE, TWO}

    consumer._wait_next_records = wait_next_records
    got = []
    async for tp, _ in consumer.getmany(0.1):
        got.append(tp)
        consumer.app.consumer_generation_id += 1
    assert got == [ONE]
