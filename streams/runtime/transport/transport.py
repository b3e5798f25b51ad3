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
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator
from typing import Any, Final, cast

import aiokafka
from aiokafka.errors import ConsumerStoppedError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TPorTopicSet
from faust.types.tuples import ConsumerMessage, Message

from streams.intake.letters.repeats import Repeats
from streams.runtime.transport.fetch import TAKE_S, Pace, Share, ends_of, seek, take
from streams.runtime.transport.fetched_batch import FetchedBatch
from streams.runtime.transport.leader_refresh import follow_leaders
from streams.runtime.transport.rebalance_listener import RebalanceListener

__all__ = ["SCHEME", "SERVICE_LOG", "BatchConsumer", "BatchTransport", "FetchedBatch"]

SCHEME: Final = "interest-stream"

CLOSED_S: Final = 0.01
"""Pause between two looks while nothing may be fetched."""

SERVICE_LOG: Final = logging.getLogger("mode.service")
"""Logger of everything that mode starts and stops: a line for each says nothing to operators."""


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
        """See :func:`streams.runtime.transport.fetch.seek`."""
        return await self.call_thread(seek, self._ensure_consumer(), assignment, topics)

    async def ends_of(self, assignment: Any, topics: Collection[str]) -> Any:
        """See :func:`streams.runtime.transport.fetch.ends_of`."""
        return await self.call_thread(ends_of, self._ensure_consumer(), assignment, topics)


class _Unread(dict[TP, Any]):
    """Faust's read offsets, never known: whatever is fetched is handed on."""

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(driver.Consumer):
    """Yields one message per partition and fetch; commits in order.

    Faust says which partitions are active, when the flow stops and when a recovery is over;
    what is read from where is decided here (:mod:`streams.runtime.transport.fetch`).
    """

    logger = SERVICE_LOG
    RebalanceListener = RebalanceListener
    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._next_offset: dict[TP, int] = {}
        self._share: Share | None = None
        super().__init__(*args, **kwargs)
        # Faust drops what lies before the last offset that it handed on, also after a seek
        # back, when what it handed on was cleared from its queues.
        self._read_offset = _Unread()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def reading(self) -> bool:
        """Whether the recovery of the present assignment is over and the sources are read."""
        return self._share is not None and self._share.open

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch; yield (partition, message) where the message's value is a FetchedBatch."""
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        share = self._share
        wanted = self._wanted(share) if share is not None else None
        if share is None or not wanted or self.should_stop:
            await asyncio.sleep(CLOSED_S)
            return
        if share.open and not share.sought:
            await self._seek_sources(share)
            return
        records = await self._thread.take(share.assignment, wanted, min(timeout, TAKE_S))
        for raw_tp, fetched in records.items():
            if self._share is not share or not self.flow_active:
                return  # a rebalance has begun: what remains is read again, by whoever has it
            tp = ensure_TP(raw_tp)
            if fetched and (tp in self._active_partitions or not self._is_changelog_tp(tp)):
                yield tp, self._batch_message(tp, fetched, share)

    def _wanted(self, share: Share) -> set[TP]:
        """What may be read now; a copy, because Faust changes its set whenever it likes."""
        active = set(self._get_active_partitions())
        return active if share.open else {tp for tp in active if self._is_changelog_tp(tp)}

    async def _seek_sources(self, share: Share) -> None:
        """Before the first record of the sources: go to where the group is, ask how far they go."""
        topics = self._source_topics(share)
        committed = await self._thread.seek_sources(share.assignment, topics)
        if committed is not None:
            known = {ensure_TP(tp): at for tp, at in committed.items() if at is not None}
            self._committed_offset.update(known)
            ends = await self._thread.ends_of(share.assignment, topics)
            share.repeats = Repeats({tp: at or 0 for tp, at in committed.items()}, ends)
            share.sought = True

    def _source_topics(self, share: Share) -> set[str]:
        return {tp.topic for tp in share.assignment.tps} - self.app.tables.changelog_topics

    def perform_seek(self) -> Coroutine[Any, Any, None]:
        """Note that the recovery is over; the sources are sought before they are read.

        Faust calls this right after it has found that the recovery is the present assignment's,
        and awaits the result later: what is noted at the call is noted of the right one.
        """
        if self._share is not None:
            self._share.recovered = True
        return _done()

    def resume_flow(self) -> None:
        """Let records pass; those of the sources only after a recovery.

        Faust resumes the flow to read the changelog, and again after the recovery, when it has
        cleared its queues.
        """
        super().resume_flow()
        if self._share is not None:
            self._share.open = self._share.recovered

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin anew; aiokafka's assignment can't change before this returns."""
        self._share = Share(self._thread.current(), generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the positions of partitions that are somebody else's now."""
        self._share = None
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._next_offset.pop(tp, None)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """The watchdog looks for what stands still.

        Faust's look only logs, and crashes the worker where a partition has no position: while
        it is being sought.
        """

    async def wait_empty(self) -> None:
        """See home what is on its way, drop what waits, commit.

        Before a rebalance and before the end. Faust waits until all that it has handed on is
        acknowledged, which after a failed batch is never.
        """
        await cast(Any, self.app).quiesce()
        with contextlib.suppress(ConsumerStoppedError):  # after a failure it has ended already
            await self.commit_and_end_transactions()

    def _batch_message(self, tp: TP, fetched: FetchedBatch | list[Any], share: Share) -> Message:
        batch = fetched if isinstance(fetched, FetchedBatch) else FetchedBatch.of(tp, fetched)
        batch.repeats = share.repeats
        self.app.monitor.track_tp_end_offset(tp, share.assignment.state_value(tp).highwater)
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            batch.offsets[-1],
            (batch.timestamps_ms[-1] or 0) / 1000.0,
            0,
            None,
            None,
            cast(Any, batch),
            None,
            0,
            0,
            tp,
            generation_id=share.generation,
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
        return True

    def finished_offset(self, tp: TP) -> int | None:
        """Offset after the last finished batch; None before the first."""
        return self._next_offset.get(tp)

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


async def _done() -> None:
    """Nothing is left to wait for."""


class BatchTransport(driver.Transport):
    """aiokafka's transport with batches."""

    Consumer = BatchConsumer
