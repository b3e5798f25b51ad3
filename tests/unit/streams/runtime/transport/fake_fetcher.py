"""aiokafka's fetcher, and as much of its consumer as fetching takes; the test is the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState
from aiokafka.structs import OffsetAndMetadata, TopicPartition

OWN, OTHER, LOG = TopicPartition("s", 0), TopicPartition("s", 1), TopicPartition("log", 0)


class _Fetcher(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher; what a broker would send is put in by the test."""

    async def _fetch_requests_routine(self) -> None:
        return None

    def request_offset_reset(self, tps: Any, strategy: int) -> Any:
        """Reset to the beginning at once, which a broker would be asked about."""
        done = super().request_offset_reset(tps, strategy)
        for tp in tps:
            self._subscriptions.subscription.assignment.state_value(tp).reset_to(0)
        return done


class _Fetched:
    """What a broker sent of one partition, as aiokafka holds it."""

    _isolation_level = READ_COMMITTED  # so that its records stay what they are here

    def __init__(self, offsets: range) -> None:
        self._left = list(offsets)
        self.next_fetch_offset = offsets.start

    def __iter__(self) -> _Fetched:
        return self

    def __next__(self) -> int:
        if not self._left:
            raise StopIteration
        self.next_fetch_offset = self._left[0] + 1
        return self._left.pop(0)


class Consumer:
    """As much of aiokafka's consumer as fetching takes."""

    def __init__(self) -> None:
        self._subscription = SubscriptionState()
        self._subscription.subscribe({"s", "log"})
        client = SimpleNamespace(_loop=asyncio.get_running_loop(), _metadata_max_age_ms=1)
        self._fetcher = _Fetcher(client, self._subscription)
        self._closed = False
        self._max_poll_records = 100
        self._coordinator = self
        self.committed: dict[TopicPartition, int] = {}
        self.asked: list[TopicPartition] = []

    async def fetch_committed_offsets(
        self, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        self.asked += partitions
        await asyncio.sleep(0)
        return {tp: OffsetAndMetadata(self.committed.get(tp, -1), "") for tp in partitions}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._fetcher.seek_to(tp, offset)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        await self._fetcher.request_offset_reset(partitions, -2)

    def assign(self, *partitions: TopicPartition) -> Assignment:
        self._subscription.assign_from_subscribed(partitions)
        assignment = self._subscription.subscription.assignment
        for tp in partitions:
            assignment.state_value(tp).reset_to(0)
        return assignment

    def arrive(self, *partitions: TopicPartition, count: int = 3) -> None:
        """Records of partitions come from the broker."""
        assignment = self._subscription.subscription.assignment
        for tp in partitions:
            at = assignment.state_value(tp).position
            self._fetcher._records[tp] = FetchResult(
                tp,
                assignment=assignment,
                partition_records=_Fetched(range(at, at + count)),
                backoff=0,
            )
        for waiter in self._fetcher._fetch_waiters:
            self._fetcher._notify(waiter)

    def position(self, tp: TopicPartition) -> int:
        position: int = self._subscription.subscription.assignment.state_value(tp).position
        return position

    async def waiting(self) -> None:
        """Until a fetch waits for records."""
        await turns(lambda: bool(self._fetcher._fetch_waiters))


async def turns(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never became so")
