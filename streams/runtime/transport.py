"""A Faust transport that hands over partition batches, and commits what was acknowledged.

Stock Faust spends about 100 µs of asyncio on each record. Here one message carries all
records of a partition that one fetch brought; its offset is that of the last record, so the
rest of Faust (group, assignor, tables, recovery, web) works as it is. Registered through
Faust's entry-point group ``faust.transports`` under the scheme of :data:`SCHEME`.

Commit bookkeeping is replaced: each partition has one reader that finishes its batches in
order, so the offset after the last finished batch is what may be committed. Stock Faust
keeps a set of single offsets with gaps and can lose one (its issues 606 and 316).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import aiokafka
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TPorTopicSet
from faust.types.tuples import ConsumerMessage, Message

SCHEME: Final = "interest-stream"

CLOSED_S: Final = 0.01
"""Pause between two looks while nothing may be fetched."""

SERVICE_LOG: Final = logging.getLogger("mode.service")
"""Logger of everything that mode starts and stops: a line for each says nothing to operators."""


@dataclass(slots=True)
class FetchedBatch:
    """Records of one partition in offset order, as columns of equal length.

    Attributes:
        topic: topic name.
        partition: partition number.
        offsets: offset of each record.
        timestamps_ms: Kafka timestamp of each record; -1 where it has none.
        keys: key bytes, or None.
        values: value bytes, or None.
        headers: headers of each record.
    """

    topic: str
    partition: int
    offsets: list[int]
    timestamps_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[tuple[tuple[str, bytes], ...]]

    def __len__(self) -> int:
        return len(self.offsets)

    @classmethod
    def of(cls, tp: TP, records: list[Any]) -> FetchedBatch:
        """Columns of aiokafka's records."""
        return cls(
            topic=tp.topic,
            partition=tp.partition,
            offsets=[r.offset for r in records],
            timestamps_ms=[r.timestamp for r in records],
            keys=[r.key for r in records],
            values=[r.value for r in records],
            headers=[r.headers for r in records],
        )


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Sets the fetch options that Faust has hard-coded."""

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


class _Unread(dict[TP, Any]):
    """Faust's read offsets, never known: whatever is fetched is handed on."""

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(driver.Consumer):
    """Yields one message per partition and fetch; commits in order."""

    logger = SERVICE_LOG

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._next_offset: dict[TP, int] = {}
        self._sought = False
        self._open = False
        super().__init__(*args, **kwargs)
        # Faust drops what lies before the last offset that it handed on, also after a seek
        # back, when what it handed on was cleared from its queues.
        self._read_offset = _Unread()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch; yield (partition, message) where the message's value is a FetchedBatch."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self._seek_back()
            return
        for raw_tp, fetched in records.items():
            if self._stale(generation):
                return
            tp = ensure_TP(raw_tp)
            wanted = tp in self._buffered_partitions or (active is not None and tp in active)
            if wanted and fetched:
                yield tp, self._batch_message(tp, fetched)

    def _stale(self, generation: int) -> bool:
        """A rebalance has begun since the fetch; what remains of it is read again."""
        return not self.flow_active or self.app.consumer_generation_id != generation

    async def perform_seek(self) -> None:
        """Go back to what is committed, at the end of a recovery."""
        await super().perform_seek()
        self._sought = True

    def resume_flow(self) -> None:
        """Let records pass; those of the sources only from the committed offsets on.

        Faust resumes the sources' partitions before it seeks, and clears its queues after.
        What is fetched between the two would be handed on with a gap before it, and what
        fills the gap would then look like a repeat.
        """
        super().resume_flow()
        self._open = self._sought

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if not self._open and active_partitions is not None:
            active_partitions = {tp for tp in active_partitions if self._is_changelog_tp(tp)}
            if not active_partitions:
                await asyncio.sleep(CLOSED_S)
                return {}
        return await super()._getmany(active_partitions, timeout)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Nothing of the sources passes until the recovery has sought."""
        self._sought = self._open = False
        await super().on_partitions_assigned(assigned, generation_id)

    async def _seek_back(self) -> None:
        """What was fetched while the flow stopped is dropped, and read again."""
        try:
            await super().perform_seek()
        except Exception as error:
            self.log.warning("seeking back while the flow was stopped failed: %s", error)

    def _batch_message(self, tp: TP, fetched: list[Any]) -> Message:
        last = fetched[-1]
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            (last.timestamp or 0) / 1000.0,
            last.timestamp_type,
            None,
            None,
            cast(Any, FetchedBatch.of(tp, fetched)),
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    # -- commit bookkeeping

    def next_offset(self, tp: TP) -> int | None:
        """Offset after the last finished batch; None while the position isn't known."""
        done = self._next_offset.get(tp)
        return self._position(tp) if done is None else done

    def _position(self, tp: TP) -> int | None:
        """Where fetching begins, before the first batch is finished."""
        consumer = self._thread._consumer
        subscription = consumer and consumer._subscription.subscription
        assignment = subscription and subscription.assignment
        state = assignment and assignment.state_value(tp)
        return state.position if state and state.has_valid_position else None

    def ack(self, message: Message) -> bool:
        """A batch is finished: everything up to its last offset may be committed."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        tp = message.tp
        if self.app.topics.acks_enabled_for(message.topic):
            self._next_offset[tp] = max(message.offset + 1, self._next_offset.get(tp, 0))
            self._n_acked += 1
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)
        return True

    def committed_offset(self, tp: TP) -> int | None:
        """Offset that the broker has as committed, as far as this worker knows."""
        committed: int | None = self._committed_offset.get(tp)
        return committed

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps need no account: a batch's offset speaks for everything before it."""

    def _filter_tps_with_pending_acks(self, topics: TPorTopicSet | None = None) -> Iterator[TP]:
        return (
            tp for tp in list(self._next_offset) if not topics or tp in topics or tp.topic in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self._next_offset.get(tp)

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Wait for the commit that is under way; then commit what was finished meanwhile.

        Stock Faust takes the other's commit for its own. The last one before a stop or a
        rebalance then leaves out what was acknowledged while a periodic one was under way.
        """
        while (under_way := self._commit_fut) is not None and not under_way.done():
            await asyncio.wait([under_way])
        return False

    async def _commit_offsets(self, offsets: Any, start_new_transaction: bool = True) -> bool:
        """Commit; a failed commit doesn't count as done (Faust issue 316)."""
        before = {tp: self._committed_offset.get(tp) for tp in offsets}
        done: bool = await super()._commit_offsets(offsets, start_new_transaction)
        if not done:
            self._committed_offset.update(before)
        return done

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the positions of partitions that are somebody else's now."""
        self._sought = self._open = False
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._next_offset.pop(tp, None)


class BatchTransport(driver.Transport):
    """aiokafka's transport with batches."""

    Consumer = BatchConsumer
