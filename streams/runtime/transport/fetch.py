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
from typing import Any, Final

import aiokafka
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import TopicPartition

from streams.runtime.rebalance.share import is_current
from streams.runtime.transport.fetched_batch import take_in_columns
from streams.runtime.transport.pace import Pace

log = logging.getLogger(__name__)

TAKE_S: Final = 0.05
"""Longest wait for records with one set of partitions: what Faust changes in the set meanwhile
(a recovery's end, a queue with room again) counts from the next fetch on."""


Records = dict[TopicPartition, Any]
"""Records of partitions; see :mod:`streams.runtime.transport.fetched_batch`."""


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
        while wanted and is_current(subscriptions, assignment):
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
