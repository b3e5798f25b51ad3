"""A pipeline that writes down what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, cast

from streams.runtime.pipelines.pipeline import Pipeline
from streams.runtime.transport.fetched_batch import FetchedBatch
from tests.unit.streams.runtime.fakes import FakeEvent, batch


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
        if batches:  # else it was an exclusive task
            self.seen.append(("finished", [o for fetched in batches for o in fetched.offsets]))

    def steps(self) -> list[str]:
        return [f"{what} {offsets[0]}-{offsets[-1]}" for what, offsets in self.seen]

    async def take(self, *offsets: int) -> FakeEvent:
        event = FakeEvent(batch(offsets))
        await self.put(cast(Any, event))
        return event
