"""A member whose take-over takes longer than its session stays in the group."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.runtime.rebalance.heartbeats import RebalanceListener
from streams.runtime.transport.consumer import BatchConsumer

INTERVAL_MS = 5


class Broker:
    """aiokafka's own heartbeats, and what arrives of them."""

    def __init__(self) -> None:
        self.heartbeats = 0
        self.three = asyncio.Event()
        self.coordinator: Any = GroupCoordinator.__new__(GroupCoordinator)
        vars(self.coordinator).update(
            _heartbeat_task=None,
            _heartbeat_interval_ms=INTERVAL_MS,
            _session_timeout_ms=10_000,
            _retry_backoff_ms=INTERVAL_MS,
            _max_poll_interval=10_000.0,
            member_id="member-1",
            generation=7,
            _subscription=SimpleNamespace(fetcher_idle_time=0.0),
            ensure_coordinator_known=self._known,
            _do_heartbeat=self._heartbeat,
        )

    async def _known(self) -> None:
        return None

    async def _heartbeat(self) -> bool:
        self.heartbeats += 1
        if self.heartbeats == 3:
            self.three.set()
        return True


async def test_heartbeats_arrive_while_partitions_are_taken_up() -> None:
    broker, app = Broker(), SimpleNamespace(consumer_generation_id=0)
    taken: list[set[TP]] = []

    async def take_up(assigned: set[TP], generation: int) -> None:
        await broker.three.wait()  # for ever, without them
        taken.append(assigned)

    thread: Any = SimpleNamespace(
        app=app,
        _ensure_consumer=lambda: SimpleNamespace(_coordinator=broker.coordinator),
        on_partitions_assigned=take_up,
    )
    listener = RebalanceListener(thread)
    await asyncio.wait_for(listener.on_partitions_assigned([TopicPartition("t", 0)]), 30)
    assert taken == [{TP("t", 0)}]
    assert app.consumer_generation_id == 7
    task = broker.coordinator._heartbeat_task
    broker.coordinator._start_heartbeat_task()  # what aiokafka does next
    assert broker.coordinator._heartbeat_task is task
    await broker.coordinator._stop_heartbeat_task()


def test_the_consumer_uses_it() -> None:
    assert BatchConsumer.RebalanceListener is RebalanceListener
