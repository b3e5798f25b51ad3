"""Batches on their way: compute one while the last is being acknowledged.

The order that every batch keeps is the heart of the guarantee (docs/guarantees.md): compute →
send everything → all acknowledged → write the local store → finish, which allows the commit.
A failure anywhere ends the worker with nothing of the batch committed.
"""

from __future__ import annotations

import abc
import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from faust.types import EventT
from mode import Service

from streams.runtime.pipelines.commit_queue import CommitQueue
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.transport.fetched_batch import FetchedBatch

log = logging.getLogger(__name__)

Result = TypeVar("Result")

HANDING_TURNS = 4
"""Turns of the event loop that a batch waits for more: Faust hands the partitions of one fetch
over one after the other, some three turns apart, and a batch of all of them costs little more than
one of the first."""

TURN_S = 0.25
"""What may be expected of one computation where it takes more than ``max_records``: the event
loop waits as long, and so does who asks for the partitions."""

QUEUE_BATCHES = 32
"""Fetched batches that wait; more stay with Faust, which stops fetching when it has enough."""


@dataclass(slots=True)
class ExclusiveTask(Generic[Result]):
    """Something that has to happen between two batches."""

    work: Callable[[], Result | None]
    done: asyncio.Future[bool]

    def finish(self, *, done: bool) -> None:
        """Tell who waits, if it still waits."""
        if not self.done.done():
            self.done.set_result(done)


class Pipeline(Service, abc.ABC, Generic[Result]):
    """Takes batches from an agent, in order, several at a time.

    Subclasses say what a batch means (:meth:`compute`) and how its effects reach the world
    (:meth:`perform`).

    Args:
        max_records: records that are computed together; more where they are of fewer users and
            don't take long, because most of what a batch costs it costs for each user.
        on_failure: called once with the error that ended the pipeline.
    """

    abstract = True
    logger = SERVICE_LOG

    def __init__(
        self,
        max_records: int,
        on_failure: Callable[[BaseException], Awaitable[None]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._max_records = max_records
        self._record_s = math.inf  # what a record of the last batch took
        self._on_failure = on_failure
        self._queue: asyncio.Queue[EventT[Any] | None] = asyncio.Queue(QUEUE_BATCHES)
        self._exclusive: deque[ExclusiveTask[Result]] = deque()
        self.commit_queue = CommitQueue(self._fail)
        self._under_way: asyncio.Task[None] | None = None
        self._closed = False
        self._times_let_go = 0
        self._failed = False

    async def put(self, event: EventT[Any]) -> None:
        """Take a fetched batch; waits while too many are waiting."""
        await self._queue.put(event)

    async def between(self, work: Callable[[], Result | None]) -> bool:
        """Have ``work`` done between two batches, when nothing is on its way.

        What it returns is performed as a batch is, without anything to acknowledge to the
        group; None is nothing.

        Returns:
            True when it is done and home; False where partitions were taken away or given
            first, and it wasn't done.
        """
        task = ExclusiveTask(work, asyncio.get_running_loop().create_future())
        self._exclusive.append(task)
        if self._queue.empty():
            self._queue.put_nowait(None)  # wakes who waits for a batch
        return await task.done

    async def let_go(self) -> None:
        """The partitions are being taken away: drop what waits, see home what is on its way.

        What was computed and not begun is dropped too, so the caller forgets what that did to
        its memory. Otherwise a batch that waited here would be applied to states in which the
        batch before it is missing.
        """
        self._closed = True
        self._times_let_go += 1
        self._drop_waiting()
        if self._under_way is not None:
            await asyncio.wait({self._under_way})  # its failure is told by the one who began it
        await self.commit_queue.empty()

    def take_up(self) -> None:
        """There are partitions again: what comes from here on counts."""
        self._drop_waiting()
        self._closed = False

    def _drop_waiting(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        while self._exclusive:
            self._exclusive.popleft().finish(done=False)

    @abc.abstractmethod
    def compute(self, batches: list[FetchedBatch]) -> Result:
        """What the batches want done; no I/O but reads of the local store."""

    def users(self, batch: FetchedBatch) -> int:
        """Users that a batch may be about, at the most (a hook)."""
        return len(batch)

    def beforehand(self, batches: list[FetchedBatch]) -> Iterator[Result]:
        """What has to be home before the batches are computed, in pieces that don't take long.

        Each piece is computed when it is asked for, while the one before is on its way.
        """
        return iter(())

    @abc.abstractmethod
    async def perform(self, result: Result) -> Coroutine[Any, Any, None] | None:
        """Do it, and return when everything is acknowledged and stored.

        Returns:
            What else must be done before the batches may be committed, and keeps nothing
            waiting; None where that is all.
        """

    def finished(self, batches: list[FetchedBatch], seconds: float) -> None:
        """The batches' effects are acknowledged (a hook for metrics)."""

    @Service.task
    async def _run(self) -> None:
        try:
            while not (self.should_stop or self._failed):
                await self._turn()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self._fail(error)

    async def _fail(self, error: BaseException) -> None:
        """Told once, by whoever fails first; nothing is acknowledged from then on."""
        if not self._failed:
            self._failed = True
            log.error("a batch failed; nothing of it is committed, and the worker ends",
                      exc_info=error)  # fmt: skip
            await self._on_failure(error)

    async def _turn(self) -> None:
        """Compute what is waiting, then see the batch before it home."""
        if self._exclusive:
            await self._settle()
            self._run_exclusive()
            return
        events = await self._collect()
        if not events:
            await self._settle()
            return
        batches = [cast(FetchedBatch, event.value) for event in events]
        times_let_go = self._times_let_go
        for piece in self.beforehand(batches):
            if not await self._send_off([], [], piece, time.monotonic(), times_let_go):
                return
        began = time.monotonic()
        result = self.compute(batches)
        self._record_s = (time.monotonic() - began) / max(1, sum(map(len, batches)))
        await self._send_off(events, batches, result, began, times_let_go)

    async def _send_off(
        self,
        events: list[EventT[Any]],
        batches: list[FetchedBatch],
        result: Result,
        began: float,
        times_let_go: int,
    ) -> bool:
        """See the batch before home and begin this one; False where partitions were let go.

        They are somebody else's then, and memory has forgotten what was computed.
        """
        await self._settle()
        await self.commit_queue.has_room()
        if times_let_go != self._times_let_go:
            return False
        self._under_way = asyncio.create_task(self._see_home(events, batches, result, began))
        await asyncio.sleep(0)  # let the first bytes leave before the next computation
        return times_let_go == self._times_let_go

    def _run_exclusive(self) -> None:
        if not self._exclusive:
            return  # dropped while the batch before it was seen home
        task = self._exclusive.popleft()
        began = time.monotonic()
        result = task.work()
        if result is None:
            task.finish(done=True)
            return
        self._under_way = asyncio.create_task(self._see_home([], [], result, began))
        self._under_way.add_done_callback(lambda _: task.finish(done=True))

    async def _collect(self) -> list[EventT[Any]]:
        """What is waiting, at least one batch; nothing when the one under way is home first."""
        if self._queue.empty() and self._under_way is not None:
            return []
        first = await self._queue.get()
        if self._closed or first is None:
            return []  # fetched before the partitions were taken away, or an exclusive task waits
        events, times_let_go = [first], self._times_let_go
        records, users, turns = len(first.value), self.users(cast(FetchedBatch, first.value)), 0
        while self._has_room(records, users) and turns < HANDING_TURNS:
            if self._queue.empty():
                turns += 1
                await asyncio.sleep(0)
            elif (event := self._queue.get_nowait()) is not None:
                events.append(event)
                records += len(event.value)
                users += self.users(cast(FetchedBatch, event.value))
                turns = 0
        return events if times_let_go == self._times_let_go else []  # taken away meanwhile

    def _has_room(self, records: int, users: int) -> bool:
        """Whether more may be computed together with so many records of so many users."""
        many = self._max_records
        return records < many or (users < many and records * self._record_s < TURN_S)

    async def _settle(self) -> None:
        task = self._under_way
        if task is not None:
            await task
            self._under_way = None

    async def _see_home(
        self,
        events: list[EventT[Any]],
        batches: list[FetchedBatch],
        result: Result,
        began: float,
    ) -> None:
        rest = await self.perform(result)
        self.commit_queue.add(events, sum(map(len, batches)), rest)
        self.finished(batches, time.monotonic() - began)
