"""Where the sources of an assignment are read from, and how far they go."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

import aiokafka
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.runtime.rebalance.share import is_current

log = logging.getLogger(__name__)

ENDS_MS: Final = 5_000
"""Longest wait for the ends of an assignment's partitions: nothing is fetched meanwhile."""


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
    if not is_current(consumer._subscription, assignment):
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
