"""The order in which batches are computed, performed and finished; no clock decides anything."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, cast

import pytest

from streams.runtime.pipelines.pipeline import QUEUE_BATCHES, TURN_S, Pipeline
from streams.runtime.transport.fetched_batch import FetchedBatch
from tests.unit.streams.runtime.fakes import FakeEvent, batch, until


class Recorder(Pipeline[list[int]]):
    """Writes down what happens; ``perform`` waits for the test's word if ``held``."""

    def __init__(self, max_records: int = 10) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.failures: list[BaseException] = []
        self.broken: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.pieces: list[int] = []
        self.rest: asyncio.Event | None = None
        super().__init__(max_records, self._tell)

    async def _tell(self, error: BaseException) -> None:
        self.failures.append(error)

    def compute(self, batches: list[FetchedBatch]) -> list[int]:
        if "compute" in self.broken:
            raise ValueError("compute")
        result = [offset for fetched in batches for offset in fetched.offsets]
        self.seen.append(("compute", result))
        return result

    def beforehand(self, batches: list[FetchedBatch]) -> Iterator[list[int]]:
        while self.pieces:
            piece = [self.pieces.pop(0)]
            self.seen.append(("piece", piece))
            yield piece

    async def perform(self, result: list[int]) -> Coroutine[Any, Any, None] | None:
        self.seen.append(("begin", result))
        await self.gate.wait()
        if "perform" in self.broken:
            raise OSError("perform")
        self.seen.append(("end", result))
        return None if self.rest is None else self._rest(self.rest)

    async def _rest(self, gate: asyncio.Event) -> None:
        await gate.wait()
        if "rest" in self.broken:
            raise OSError("rest")

    def finished(self, batches: list[FetchedBatch], seconds: float) -> None:
        assert seconds >= 0
        if batches:  # else it was an errand
            self.seen.append(("finished", [o for fetched in batches for o in fetched.offsets]))

    def steps(self) -> list[str]:
        return [f"{what} {offsets[0]}-{offsets[-1]}" for what, offsets in self.seen]

    async def take(self, *offsets: int) -> FakeEvent:
        event = FakeEvent(batch(offsets))
        await self.put(cast(Any, event))
        return event


@pytest.fixture
async def pipeline() -> AsyncIterator[Recorder]:
    made = Recorder()
    yield made
    made.gate.set()
    if made.started:
        await made.stop()


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


async def test_an_errand_is_done_between_two_batches_with_nothing_on_its_way(
    pipeline: Recorder,
) -> None:
    pipeline.gate.clear()
    first, second = [await pipeline.take(*range(n, n + 10)) for n in (0, 10)]
    await pipeline.start()
    await until(lambda: "compute 10-19" in pipeline.steps())

    def work() -> None:
        pipeline.seen.append(("errand", [0]))

    errand = asyncio.create_task(pipeline.between(work))
    for _ in range(100):
        await asyncio.sleep(0)
    assert ("errand", [0]) not in pipeline.seen
    pipeline.gate.set()
    assert await asyncio.wait_for(errand, 10)
    assert (first.acks, second.acks) == (1, 1)
    assert pipeline.steps().index("finished 10-19") < pipeline.steps().index("errand 0-0")


async def test_an_errand_wakes_an_idle_pipeline_and_its_result_is_performed(
    pipeline: Recorder,
) -> None:
    await pipeline.start()
    for number in (7, 8):
        assert await asyncio.wait_for(pipeline.between(lambda n=number: [n]), 10)  # type: ignore[misc]
    assert [s for s in pipeline.steps() if s.startswith("end")] == ["end 7-7", "end 8-8"]
    event = await pipeline.take(1)
    await until(lambda: event.acks)


async def test_letting_go_drops_errands_and_sees_one_home_that_is_on_its_way(
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


async def test_a_failing_errand_ends_the_worker_as_a_batch_does(pipeline: Recorder) -> None:
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
