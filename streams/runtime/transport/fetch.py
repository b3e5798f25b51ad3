"""What may be read, from where and when: a partition's position has one owner.

aiokafka moves a partition's position when records are taken from it, so records that are taken
and not handed on are skipped for ever. Faust takes records in the consumer's thread while its
main thread pauses, seeks and rebalances. A fetch that waited through a rebalance then took
whatever was there: aiokafka reads an empty set of partitions, which Faust had emptied
meanwhile, as "all", and so records of partitions that had just been taken over were gone. Faust
sought back to what was committed, and left alone where nothing was.

Here a fetch names the assignment that it is for, and takes nothing once there is another; and
the sources are sought once for each assignment, by the same coroutine that fetches, after the
recovery and before the first record.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import aiokafka
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import TopicPartition

from streams.intake.letters.repeats import UNKNOWN, Repeats
from streams.runtime.transport.fetched_batch import take_in_columns

log = logging.getLogger(__name__)

TAKE_S: Final = 0.05
"""Longest wait for records with one set of partitions: what Faust changes in the set meanwhile
(a recovery's end, a queue with room again) counts from the next fetch on."""

PACE_S: Final = 0.01
"""Least time from what a small fetch brought to the next request."""
SLOWEST_S: Final = 0.04
"""The same of a worker that is busy."""
BUSY: Final = 0.65
"""Share of a core from which on a worker asks less often, for batches that cost less an event."""
STEP: Final = 1.2
"""Most by which the pace changes from one fetch to the next."""
PLENTY: Final = 1_000
"""A fetch of so many records is followed by the next at once."""

ENDS_MS: Final = 5_000
"""Longest wait for the ends of an assignment's partitions: nothing is fetched meanwhile."""

Records = dict[TopicPartition, Any]
"""Records of partitions; see :mod:`streams.runtime.transport.fetched_batch`."""


@dataclass(slots=True, eq=False)
class Share:
    """What one rebalance gave this worker, and how far its recovery is.

    Attributes:
        assignment: aiokafka's object, a new one for each rebalance.
        generation: the group's number for it.
        recovered: the changelog has been read.
        open: the sources may be read: what Faust's queues held before is cleared.
        sought: the sources are where the group's committed offsets say.
        repeats: which of their records may have been read before.
    """

    assignment: Assignment
    generation: int
    recovered: bool = False
    open: bool = False
    sought: bool = False
    repeats: Repeats = UNKNOWN


class Pace:
    """When to ask the brokers again: a trickle is served at once, a stream in batches of some size.

    Each fetch costs the same, whatever it brings, and so does each batch behind it. So after one
    that brought little the next request waits until :data:`PACE_S` have passed, and brings what
    has come meanwhile. (A request that is sent at once brings the next record alone, and what comes
    behind it waits for another.) After one that brought nothing it doesn't: it is there when the
    next record comes. A worker that takes more than :data:`BUSY` of a core would wait for itself
    next: its requests get rarer, up to :data:`SLOWEST_S`, until larger batches have made room.
    """

    def __init__(self) -> None:
        self._next = 0.0
        self._pace_s = PACE_S
        self._began, self._cpu = time.monotonic(), time.process_time()

    def left_s(self) -> float:
        """Seconds until the next request."""
        return self._next - time.monotonic()

    def fetched(self, records: int) -> None:
        """A fetch brought so many records."""
        now, cpu = time.monotonic(), time.process_time()
        if 0 < records < PLENTY:
            busy = (cpu - self._cpu) / max(now - self._began, PACE_S)
            change = min(max(busy / BUSY, 1 / STEP), STEP)
            self._pace_s = min(max(self._pace_s * change, PACE_S), SLOWEST_S)
            self._next = now + self._pace_s
        else:
            self._next, self._pace_s = 0.0, PACE_S
        self._began, self._cpu = now, cpu

    def hold(self, fetcher: Any) -> None:
        """Have aiokafka's fetcher send no request for records before its time."""
        plan = fetcher._get_actions_per_node

        def paced(assignment: Assignment) -> tuple[Any, ...]:
            requests, resets, timeout_s, *rest = plan(assignment)
            if requests and (left := self.left_s()) > 0:
                requests, timeout_s = [], min(timeout_s, left)
            return requests, resets, timeout_s, *rest

        fetcher._get_actions_per_node = paced


async def take(
    consumer: aiokafka.AIOKafkaConsumer,
    assignment: Assignment,
    partitions: Collection[TopicPartition],
    timeout_s: float,
    pace: Pace,
) -> Records:
    """Take records of some partitions; in the consumer's loop.

    Args:
        consumer: aiokafka's consumer.
        assignment: what the fetch is for; there is nothing once another has replaced it.
        partitions: whose records; none of others are taken, and none if this is empty.
        timeout_s: how long to wait for the first record.
        pace: told how many they are, before the fetcher thinks of its next request.

    Raises:
        ConsumerStoppedError: the consumer is closed.
        KafkaError: the broker refuses a partition.
    """
    fetcher, subscriptions = consumer._fetcher, consumer._subscription
    take_in_columns(fetcher)
    wanted = frozenset(partitions)
    until = time.monotonic() + timeout_s
    with subscriptions.fetch_context():
        while wanted and _is_current(subscriptions, assignment):
            if consumer._closed or fetcher._closed:
                raise ConsumerStoppedError
            # Without a timeout it doesn't wait: no rebalance comes between check and taking.
            taken: Records = await fetcher.fetched_records(
                wanted, timeout=0, max_records=consumer._max_poll_records
            )
            left = until - time.monotonic()
            if taken or left <= 0:
                pace.fetched(sum(map(len, taken.values())))
                return taken
            await _something_new(fetcher, assignment, left)
    return {}


async def _something_new(fetcher: Any, assignment: Assignment, timeout_s: float) -> None:
    waiter = fetcher._create_fetch_waiter()
    try:
        await asyncio.wait(
            {waiter, assignment.unassign_future},
            timeout=timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if waiter.done():
            waiter.result()  # raises what the coordinator has to say
    finally:
        waiter.cancel()


async def seek(
    consumer: aiokafka.AIOKafkaConsumer, assignment: Assignment, topics: Collection[str]
) -> dict[TopicPartition, int | None] | None:
    """Go to the committed offsets, and to the beginning where nothing is committed.

    In the consumer's loop.

    Args:
        consumer: aiokafka's consumer.
        assignment: whose partitions.
        topics: which of its topics.

    Returns:
        The committed offset of each partition, None where there is none; None instead of all
        where another assignment has replaced this one meanwhile, and nothing was done.
    """
    partitions = [tp for tp in assignment.tps if tp.topic in topics]
    known = await consumer._coordinator.fetch_committed_offsets(partitions)
    if not _is_current(consumer._subscription, assignment):
        return None
    committed = {tp: known[tp].offset if tp in known else -1 for tp in partitions}
    for tp, offset in committed.items():
        if offset >= 0:
            consumer.seek(tp, offset)
    if unread := [tp for tp, offset in committed.items() if offset < 0]:
        await consumer.seek_to_beginning(*unread)
    return {tp: offset if offset >= 0 else None for tp, offset in committed.items()}


async def ends_of(
    consumer: aiokafka.AIOKafkaConsumer, assignment: Assignment, topics: Collection[str]
) -> dict[TopicPartition, int]:
    """Where the partitions end now; in the consumer's loop.

    Args:
        consumer: aiokafka's consumer.
        assignment: whose partitions.
        topics: which of its topics.

    Returns:
        The offset after each partition's last record; nothing where a broker doesn't say it soon.
    """
    partitions = [tp for tp in assignment.tps if tp.topic in topics]
    try:
        ends: dict[TopicPartition, int] = await consumer._fetcher.end_offsets(partitions, ENDS_MS)
    except KafkaError as error:
        log.info("the ends of the sources aren't known, so any may repeat: %r", error)
        return {}
    return ends


def _is_current(subscriptions: SubscriptionState, assignment: Assignment) -> bool:
    """Whether positions of this assignment are still worth anything."""
    current = subscriptions.subscription is not None and subscriptions.subscription.assignment
    return current is assignment and not subscriptions.reassignment_in_progress
