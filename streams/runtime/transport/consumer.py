"""What was fetched is handed over: one message for each partition, of the present assignment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, cast

from aiokafka.errors import ConsumerStoppedError
from faust.transport.consumer import ensure_TP
from faust.types import TP
from faust.types.tuples import ConsumerMessage, Message

from streams.intake.dead_letters.repeats import Repeats
from streams.runtime.rebalance.heartbeats import RebalanceListener
from streams.runtime.rebalance.share import Share
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.transport.commits import OrderedCommits
from streams.runtime.transport.consumer_thread import BatchConsumerThread
from streams.runtime.transport.fetch import TAKE_S
from streams.runtime.transport.fetched_batch import FetchedBatch

CLOSED_S: Final = 0.01
"""Pause between two looks while nothing may be fetched."""


class _Unread(dict[TP, Any]):
    """Faust's read offsets, never known: whatever is fetched is handed on."""

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(OrderedCommits):
    """Yields one message per partition and fetch; commits in order.

    Faust says which partitions are active, when the flow stops and when a recovery is over;
    what is read from where is decided here (:mod:`streams.runtime.transport.fetch`).
    """

    logger = SERVICE_LOG
    RebalanceListener = RebalanceListener
    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
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
        """Nothing is handed on until the next assignment."""
        self._share = None
        await super().on_partitions_revoked(revoked)

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


async def _done() -> None:
    """Nothing is left to wait for."""
