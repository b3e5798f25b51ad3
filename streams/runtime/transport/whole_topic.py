"""Reading topics as a whole, outside any group: from their beginning to where they end now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.structs import TopicPartition

POLL_MS: Final = 500

Fetched = Mapping[TopicPartition, Sequence[Any]]
"""aiokafka's records of partitions, each partition's in order."""


async def read_to_end(
    consumer: aiokafka.AIOKafkaConsumer,
    partitions: Collection[TopicPartition],
    take: Callable[[Fetched], None],
) -> None:
    """Read partitions to their present ends; the consumer is left behind the last record.

    Args:
        consumer: started, without a group.
        partitions: what is read, from its beginning.
        take: is shown what each fetch brings.

    Raises:
        KafkaError: they can't be read.
    """
    consumer.assign(list(partitions))
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(list(partitions))
    while any([await consumer.position(tp) < end for tp, end in ends.items()]):
        take(await consumer.getmany(timeout_ms=POLL_MS))
