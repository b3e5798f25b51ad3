"""Faust's consumer thread, whose fetches and seeks are for one assignment."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import aiokafka
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.transport.fetch import take
from streams.runtime.transport.leader_refresh import follow_leaders
from streams.runtime.transport.pace import Pace
from streams.runtime.transport.positions import ends_of, seek


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Sets the fetch options that Faust has hard-coded; fetches and seeks for one assignment."""

    logger = SERVICE_LOG

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        app: Any = self.app
        kafka = app.settings.kafka
        # Faust waits 1.5 s for data; a backlog over several partitions then crawls, because
        # aiokafka has one fetch in flight per broker.
        consumer._fetch_max_wait_ms = kafka.fetch_max_wait_ms
        consumer._fetch_min_bytes = kafka.fetch_min_bytes
        return consumer

    async def on_start(self) -> None:
        """Connect."""
        await super().on_start()
        consumer = self._ensure_consumer()
        follow_leaders(consumer)
        self._pace = Pace()
        self._pace.hold(consumer._fetcher)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Tell the main thread and wait for it, unless it waits for this thread to end."""
        await self.wait(super().on_partitions_revoked(revoked))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the main thread and wait for it, unless it waits for this thread to end."""
        await self.wait(super().on_partitions_assigned(assigned, generation_id))

    async def call_thread(self, fun: Any, *args: Any, **kwargs: Any) -> Any:
        """Run something in the thread's loop.

        Raises:
            ConsumerStoppedError: the thread has ended, which mode would wait for for ever.
        """
        if self._shutdown.is_set():
            raise ConsumerStoppedError
        call = asyncio.ensure_future(super().call_thread(fun, *args, **kwargs))
        ended = asyncio.ensure_future(self._shutdown.wait())
        try:
            await asyncio.wait({call, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise ConsumerStoppedError
            return call.result()
        finally:
            call.cancel()
            ended.cancel()

    def close(self) -> None:
        """Faust closes the client in the main thread's loop here; ours closes it as it ends."""

    def _stopped_set(self) -> None:
        """Tell the thread to stop, unless it has ended by itself and closed its loop."""
        try:
            super()._stopped_set()
        except RuntimeError:  # after a failed batch it has often ended before it is stopped
            self._stopped.set()

    def current(self) -> Any:
        """aiokafka's assignment; a new object after each rebalance."""
        return self._ensure_consumer()._subscription.subscription.assignment

    async def take(self, assignment: Any, partitions: Collection[TP], timeout_s: float) -> Any:
        """See :func:`streams.runtime.transport.fetch.take`."""
        consumer = self._ensure_consumer()
        return await self.call_thread(take, consumer, assignment, partitions, timeout_s, self._pace)

    async def seek_sources(self, assignment: Any, topics: Collection[str]) -> Any:
        """See :func:`streams.runtime.transport.positions.seek`."""
        return await self.call_thread(seek, self._ensure_consumer(), assignment, topics)

    async def ends_of(self, assignment: Any, topics: Collection[str]) -> Any:
        """See :func:`streams.runtime.transport.positions.ends_of`."""
        return await self.call_thread(ends_of, self._ensure_consumer(), assignment, topics)
