"""Commits in order: what may be committed is what lies before the last finished batch.

Each partition has one reader that finishes its batches in order, so the offset after the last
finished batch is what may be committed. Stock Faust keeps a set of single offsets with gaps and
can lose one (its issues 606 and 316).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TPorTopicSet
from faust.types.tuples import Message

from streams.runtime.transport.consumer_thread import BatchConsumerThread


class OrderedCommits(driver.Consumer):
    """Faust's consumer with one offset for each partition where Faust keeps a set of them."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._next_offset: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the positions of partitions that are somebody else's now."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._next_offset.pop(tp, None)

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
