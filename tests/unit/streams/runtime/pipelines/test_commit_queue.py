"""What is still to be done of one batch holds up acknowledgements, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from streams.runtime.pipelines.commit_queue import HELD_RECORDS, CommitQueue
from tests.unit.streams.runtime.fakes import FakeEvent, batch, until
from tests.unit.streams.runtime.recorder import Recorder


class Rest:
    """Something that ends when the test says so."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.gate = asyncio.Event()
        self.begun = False
        self.failure = failure

    async def work(self) -> None:
        self.begun = True
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure


class Held:
    """A queue, and what it was told."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.commit_queue = CommitQueue(self.failed)

    async def failed(self, error: BaseException) -> None:
        self.failures.append(error)

    def add(self, offset: int, rest: Rest | None = None, records: int = 1) -> FakeEvent:
        event = FakeEvent(batch([offset]))
        self.commit_queue.add([cast(Any, event)], records, None if rest is None else rest.work())
        return event


async def turns() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def test_without_anything_left_to_do_a_batch_is_acknowledged_at_once() -> None:
    assert Held().add(0).acks == 1


async def test_batches_behind_one_that_waits_are_acknowledged_after_it_in_order() -> None:
    held, first, second = Held(), Rest(), Rest()
    events = [held.add(0, first), held.add(1), held.add(2, second), held.add(3)]
    await turns()
    assert first.begun
    assert second.begun  # nothing waits with its own work for another's
    second.gate.set()
    await turns()
    assert [event.acks for event in events] == [0, 0, 0, 0]
    first.gate.set()
    await held.commit_queue.empty()
    assert [event.acks for event in events] == [1, 1, 1, 1]
    assert held.add(4).acks == 1


async def test_after_a_failure_nothing_is_acknowledged_any_more() -> None:
    held, broken = Held(), Rest(OSError("gone"))
    events = [held.add(0, broken), held.add(1)]
    broken.gate.set()
    await held.commit_queue.empty()
    await turns()
    events.append(held.add(2))
    await turns()
    assert [event.acks for event in events] == [0, 0, 0]
    assert [str(error) for error in held.failures] == ["gone"]


async def test_records_that_may_wait_are_bounded() -> None:
    held, rest = Held(), Rest()
    held.add(0, rest, HELD_RECORDS)
    await asyncio.wait_for(held.commit_queue.has_room(), 10)
    held.add(1)
    room = asyncio.create_task(held.commit_queue.has_room())
    await turns()
    assert not room.done()
    rest.gate.set()
    await asyncio.wait_for(room, 10)


# -- in a pipeline


async def test_what_is_left_of_a_batch_holds_up_commits_and_not_the_next_batches(
    pipeline: Recorder,
) -> None:
    pipeline.rest = gate = asyncio.Event()
    await pipeline.start()
    first = await pipeline.take(0)
    await until(lambda: "end 0-0" in pipeline.steps())
    pipeline.rest = None
    second = await pipeline.take(1)
    await until(lambda: "end 1-1" in pipeline.steps())
    assert (first.acks, second.acks) == (0, 0)
    gone = asyncio.create_task(pipeline.let_go())  # sees it home, as all that is on its way
    for _ in range(100):
        await asyncio.sleep(0)
    assert not gone.done()
    gate.set()
    await asyncio.wait_for(gone, 10)
    assert (first.acks, second.acks) == (1, 1)


async def test_a_failure_of_what_is_left_ends_the_worker(pipeline: Recorder) -> None:
    pipeline.rest = gate = asyncio.Event()
    pipeline.broken.add("rest")
    await pipeline.start()
    event = await pipeline.take(0)
    await until(lambda: "end 0-0" in pipeline.steps())
    gate.set()
    await until(lambda: pipeline.failures)
    assert event.acks == 0
    assert len(pipeline.failures) == 1
