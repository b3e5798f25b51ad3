"""The publishers' life with the app."""

from __future__ import annotations

from mode import Service

from streams.runtime.rebalance.fence import PartitionPublishers
from streams.runtime.sending.publisher import Publisher
from streams.runtime.service_log import SERVICE_LOG


class PublisherService(Service):
    """Starts and stops the publishers with the app; partitions' own come with them.

    Args:
        publisher: the worker's own.
        owned: those of the partitions.
    """

    logger = SERVICE_LOG

    def __init__(self, publisher: Publisher, owned: PartitionPublishers) -> None:
        super().__init__()
        self._publisher = publisher
        self._owned = owned

    async def on_start(self) -> None:
        """Connect."""
        await self._publisher.start()

    async def on_stop(self) -> None:
        """Send what is buffered and disconnect."""
        await self._owned.stop()
        await self._publisher.stop()
