"""The order in which batches are computed, performed and finished; no clock decides anything."""

from __future__ import annotations

import asyncio
import math

import pytest

from streams.runtime.pipelines.pipeline import QUEUE_BATCHES, TURN_S
from tests.unit.streams.runtime.fakes import until
from tests.unit.streams.runtime.recorder import Recorder


async def test_a_batch_is_computed_performed_and_then_finished(pipeline: Recorder) -> None:
    await pipeline.start()
    event = await pipeline.take(0, 1)
    await until(lambda: event.acks)
    assert pipeline.steps() == ["compute 0-1", "begin 0-1", "end 0-1", "finished 0-1"]
    assert (event.acks, pipeline.failures) == (1, [])


async def test_nothing_is_finished_before_its_effects_are_acknowledged(pipeline: Recorder) -> None:
    pipeline.gate.clear()
    await pipeline.start()
    event = await pipeline.take(0)
    await until(lambda: ("begin", [0]) in pipeline.seen)
    assert event.acks == 0
    pipeline.gate.set()
    await until(lambda: event.acks)


async def test_the_next_batch_is_computed_meanwhile_and_performed_after(
    pipeline: Recorder,
) -> None:
    pipeline.gate.clear()
    first, second, third = [await pipeline.take(*range(n, n + 10)) for n in (0, 10, 20)]
    await pipeline.start()
    await until(lambda: "compute 10-19" in pipeline.steps())
    for _ in range(100):  # however long it takes: only one batch is ahead
        await asyncio.sleep(0)
    assert pipeline.steps() == ["compute 0-9", "begin 0-9", "compute 10-19"]
    assert (first.acks, second.acks) == (0, 0)
    pipeline.gate.set()
    await until(lambda: third.acks)
    performed = [s for s in pipeline.steps() if s.startswith(("begin", "end"))]
    assert performed == [
        *("begin 0-9", "end 0-9", "begin 10-19", "end 10-19", "begin 20-29", "end 20-29")
    ]
    assert [first.acks, second.acks, third.acks] == [1, 1, 1]


async def test_what_waits_is_computed_together_up_to_the_limit(pipeline: Recorder) -> None:
    for first in range(0, 24, 4):
        await pipeline.take(*range(first, first + 4))
    await pipeline.start()
    await until(lambda: ("finished", list(range(12, 24))) in pipeline.seen)
    computed = [offsets for what, offsets in pipeline.seen if what == "compute"]
    assert computed == [list(range(12)), list(range(12, 24))]


@pytest.mark.parametrize(
    ("users", "record_s", "together"),
    [
        (1, 0.0, 24),  # few users, and quick
        (3, 0.0, 16),  # of twelve users, where ten are the limit
        (1, TURN_S / 16, 16),  # until it is expected to take long
        (1, math.inf, 12),  # nobody knows yet how long it takes
    ],
)
async def test_records_of_few_users_are_computed_together_beyond_the_limit(
    pipeline: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    users: int,
    record_s: float,
    together: int,
) -> None:
    monkeypatch.setattr(pipeline, "users", lambda _: users)
    monkeypatch.setattr(pipeline, "_record_s", record_s)
    for first in range(0, 24, 4):
        await pipeline.take(*range(first, first + 4))
    await pipeline.start()
    await until(lambda: pipeline.seen)
    assert pipeline.seen[0] == ("compute", list(range(together)))


async def test_an_idle_pipeline_finishes_what_is_under_way(pipeline: Recorder) -> None:
    await pipeline.start()
    for number in range(5):
        event = await pipeline.take(number)
        await until(lambda e=event: e.acks)  # type: ignore[misc]
    assert pipeline._under_way is None or pipeline._under_way.done()


@pytest.mark.parametrize("where", ["compute", "perform"])
async def test_a_failure_is_told_once_and_finishes_nothing(pipeline: Recorder, where: str) -> None:
    await pipeline.start()
    good = await pipeline.take(0)
    await until(lambda: good.acks)
    pipeline.broken.add(where)
    bad = await pipeline.take(1)
    await until(lambda: pipeline.failures)
    after = await pipeline.take(2)
    for _ in range(100):
        await asyncio.sleep(0)
    assert [str(error) for error in pipeline.failures] == [where]
    assert (good.acks, bad.acks, after.acks) == (1, 0, 0)
    assert ("finished", [1]) not in pipeline.seen


async def test_a_batch_computed_after_the_failed_one_is_not_performed(pipeline: Recorder) -> None:
    pipeline.gate.clear()
    first, second = [await pipeline.take(*range(n, n + 10)) for n in (0, 10)]
    await pipeline.start()
    await until(lambda: "compute 10-19" in pipeline.steps())
    pipeline.broken.add("perform")
    pipeline.gate.set()
    await until(lambda: pipeline.failures)
    assert "begin 10-19" not in pipeline.steps()
    assert (first.acks, second.acks) == (0, 0)


async def test_too_many_waiting_batches_hold_up_the_agent(pipeline: Recorder) -> None:
    for number in range(QUEUE_BATCHES):
        await pipeline.take(number)
    waiting = asyncio.create_task(pipeline.take(QUEUE_BATCHES))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    await pipeline.start()
    await until(waiting.done)


async def test_a_stop_finishes_nothing_that_is_not_acknowledged(pipeline: Recorder) -> None:
    pipeline.gate.clear()
    await pipeline.start()
    event = await pipeline.take(0)
    await until(lambda: ("begin", [0]) in pipeline.seen)
    await pipeline.stop()
    assert event.acks == 0
    assert pipeline.failures == []


async def test_an_exclusive_task_is_done_between_two_batches_with_nothing_on_its_way(
    pipeline: Recorder,
) -> None:
    pipeline.gate.clear()
    first, second = [await pipeline.take(*range(n, n + 10)) for n in (0, 10)]
    await pipeline.start()
    await until(lambda: "compute 10-19" in pipeline.steps())

    def work() -> None:
        pipeline.seen.append(("exclusive", [0]))

    task = asyncio.create_task(pipeline.between(work))
    for _ in range(100):
        await asyncio.sleep(0)
    assert ("exclusive", [0]) not in pipeline.seen
    pipeline.gate.set()
    assert await asyncio.wait_for(task, 10)
    assert (first.acks, second.acks) == (1, 1)
    assert pipeline.steps().index("finished 10-19") < pipeline.steps().index("exclusive 0-0")


async def test_an_exclusive_task_wakes_an_idle_pipeline_and_its_result_is_performed(
    pipeline: Recorder,
) -> None:
    await pipeline.start()
    for number in (7, 8):
        assert await asyncio.wait_for(pipeline.between(lambda n=number: [n]), 10)  # type: ignore[misc]
    assert [s for s in pipeline.steps() if s.startswith("end")] == ["end 7-7", "end 8-8"]
    event = await pipeline.take(1)
    await until(lambda: event.acks)


async def test_a_failing_exclusive_task_ends_the_worker_as_a_batch_does(pipeline: Recorder) -> None:
    await pipeline.start()
    pipeline.broken.add("perform")
    assert await asyncio.wait_for(pipeline.between(lambda: [1]), 10)
    await until(lambda: pipeline.failures)


async def test_what_is_handed_over_in_the_same_breath_is_one_batch(pipeline: Recorder) -> None:
    await pipeline.start()
    await until(lambda: pipeline._queue._getters)  # type: ignore[attr-defined]
    first = await pipeline.take(0)
    await asyncio.sleep(0)  # Faust hands over one partition after the other
    second = await pipeline.take(1)
    await until(lambda: second.acks)
    assert pipeline.steps()[0] == "compute 0-1"
    assert first.acks == 1


async def test_what_must_come_before_a_batch_goes_out_in_pieces_first(pipeline: Recorder) -> None:
    pipeline.pieces = [100, 101]
    await pipeline.start()
    event = await pipeline.take(0)
    await until(lambda: event.acks)
    steps = [step for step in pipeline.steps() if not step.startswith("end")]
    assert steps == [
        *("piece 100-100", "begin 100-100", "piece 101-101", "begin 101-101"),
        *("compute 0-0", "begin 0-0", "finished 0-0"),
    ]
