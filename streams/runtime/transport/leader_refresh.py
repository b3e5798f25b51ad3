"""aiokafka's consumer, taught to look for the leader that it lacks.

For a partition without a position aiokafka (0.14) asks the partition's leader for an offset. A
broker that no longer leads refuses, and aiokafka asks it again, ten times a second, until its
metadata are five minutes old; nothing else is fetched from that broker meanwhile, the changelog
neither. (Apache's consumer had this once: KAFKA-9535.) Here such a refusal has the metadata read
anew, as a refused fetch does.
"""

from __future__ import annotations

from typing import Any

import aiokafka
from aiokafka.errors import KafkaError


class Consumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer that follows the leaders of its partitions."""

    async def start(self) -> None:
        """Connect; one that can't is closed, or asyncio tells of it as forgotten."""
        try:
            await super().start()
        except BaseException:
            await self.stop()
            raise
        follow_leaders(self)


def follow_leaders(consumer: aiokafka.AIOKafkaConsumer) -> None:
    """Have a started consumer look for the new leader where one refuses to tell an offset."""
    fetcher, client = consumer._fetcher, consumer._client
    ask = fetcher._proc_offset_request

    async def ask_or_look_anew(node_id: int, topics: Any) -> Any:
        try:
            return await ask(node_id, topics)
        except KafkaError as error:
            if error.invalid_metadata:
                client.force_metadata_update()
            raise

    fetcher._proc_offset_request = ask_or_look_anew
