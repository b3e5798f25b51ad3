"""Heartbeats go on while partitions are being taken up.

aiokafka stops its heartbeats to join a group, and starts them again only when its listener has
returned. Faust's listener takes partitions over: producers are fenced, databases opened. On a busy
cluster that can take longer than the session, and then the broker takes the member for dead in
the middle of it, and everything begins again, without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver


class RebalanceListener(driver.ConsumerRebalanceListener):
    """Faust's listener, alive to the broker while it works."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take partitions up; runs in the consumer's loop, which is free meanwhile."""
        coordinator: Any = self._thread._ensure_consumer()._coordinator
        # The same task that aiokafka would start after this. Whatever it learns, a rebalance
        # for instance, waits until the coordinator looks at it again.
        coordinator._start_heartbeat_task()
        await super().on_partitions_assigned(assigned)
