"""Partitions are taken away: what is on its way is seen home, and what waits is dropped."""

from __future__ import annotations

import asyncio

from faust.types import TP

from streams.runtime.rebalance.handover import Handover
from tests.unit.streams.runtime.fakes import until
from tests.unit.streams.runtime.recorder import Recorder


async def test_letting_go_sees_home_what_is_on_its_way_and_drops_the_rest(
    pipeline: Recorder,
) -> None:
    pipeline.gate.clear()
    first, second, third = [await pipeline.take(*range(n, n + 10)) for n in (0, 10, 20)]
    await pipeline.start()
    await until(lambda: "compute 10-19" in pipeline.steps())
    gone = asyncio.create_task(pipeline.let_go())
    await asyncio.sleep(0)
    assert not gone.done()
    pipeline.gate.set()
    await until(gone.done)
    late = await pipeline.take(30)  # the agent had it in its hands
    for _ in range(100):
        await asyncio.sleep(0)
    pipeline.take_up()
    new = await pipeline.take(10)
    await until(lambda: new.acks)
    assert [e.acks for e in (first, second, third, late)] == [1, 0, 0, 0]
    begun = [s for s in pipeline.steps() if s.startswith("begin")]
    assert begun == ["begin 0-9", "begin 10-10"]


async def test_letting_go_with_nothing_on_its_way_returns_at_once(pipeline: Recorder) -> None:
    await pipeline.start()
    await asyncio.wait_for(pipeline.let_go(), 1)
    pipeline.take_up()
    event = await pipeline.take(0)
    await until(lambda: event.acks)


async def test_a_failure_while_letting_go_is_told_once(pipeline: Recorder) -> None:
    pipeline.gate.clear()
    await pipeline.start()
    await pipeline.take(0)
    await until(lambda: "begin 0-0" in pipeline.steps())
    pipeline.broken.add("perform")
    gone = asyncio.create_task(pipeline.let_go())
    await asyncio.sleep(0)
    pipeline.gate.set()
    await gone
    await until(lambda: pipeline.failures)
    assert len(pipeline.failures) == 1


async def test_letting_go_drops_exclusive_tasks_and_sees_one_home_that_is_on_its_way(
    pipeline: Recorder,
) -> None:
    pipeline.gate.clear()
    await pipeline.start()
    on_its_way = asyncio.create_task(pipeline.between(lambda: [1]))
    await until(lambda: "begin 1-1" in pipeline.steps())
    waiting = asyncio.create_task(pipeline.between(lambda: [2]))
    await asyncio.sleep(0)
    gone = asyncio.create_task(pipeline.let_go())
    assert await asyncio.wait_for(waiting, 10) is False
    assert not gone.done()
    pipeline.gate.set()
    await asyncio.wait_for(gone, 10)
    assert await asyncio.wait_for(on_its_way, 10)
    assert "begin 2-2" not in pipeline.steps()


async def test_partitions_taken_away_while_a_batch_gathers_are_dropped(pipeline: Recorder) -> None:
    await pipeline.start()
    await until(lambda: pipeline._queue._getters)  # type: ignore[attr-defined]
    await pipeline.take(0)
    await asyncio.sleep(0)
    await pipeline.let_go()
    pipeline.take_up()
    for _ in range(20):
        await asyncio.sleep(0)
    assert pipeline.seen == []


async def test_partitions_taken_away_amid_the_pieces_drop_their_batch(pipeline: Recorder) -> None:
    pipeline.pieces = [100, 101]
    pipeline.gate.clear()
    await pipeline.start()
    event = await pipeline.take(0)
    await until(lambda: "piece 101-101" in pipeline.steps())
    gone = asyncio.create_task(pipeline.let_go())
    await asyncio.sleep(0)
    pipeline.gate.set()
    await asyncio.wait_for(gone, 10)
    pipeline.take_up()
    later = await pipeline.take(7)
    await until(lambda: later.acks)
    assert event.acks == 0
    assert not {"begin 101-101", "compute 0-0"} & set(pipeline.steps())


async def test_users_and_figures_go_once_everything_is_home(pipeline: Recorder) -> None:
    pipeline.gate.clear()
    await pipeline.start()
    event = await pipeline.take(0)
    await until(lambda: "begin 0-0" in pipeline.steps())
    told: list[object] = []
    handover = Handover([pipeline], lambda: told.append("released"), told.append)
    gone = asyncio.create_task(handover.let_go(None, [TP("log", 1)]))
    await asyncio.sleep(0)
    assert told == []
    pipeline.gate.set()
    await asyncio.wait_for(gone, 10)
    assert (event.acks, told) == (1, ["released", {TP("log", 1)}])
    await handover.take_up(None, [])
    later = await pipeline.take(1)
    await until(lambda: later.acks)
