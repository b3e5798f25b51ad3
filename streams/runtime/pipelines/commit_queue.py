"""Batches that are home but for something that may take long, and those that wait behind them.

Acknowledging a batch allows the commit of its offsets and of all before it. So one of which
something is still to be done (:mod:`streams.runtime.dead_letters.sweep`) holds up the
acknowledgements of those after it, though not those batches themselves: after a crash all of them
are read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from faust.types import EventT

HELD_RECORDS: Final = 100_000
"""Records of batches that may wait to be acknowledged; beyond that the next batch waits too."""


class CommitQueue:
    """Acknowledges batches in the order in which they were given.

    Args:
        on_failure: told when what was still to be done has failed; nothing is acknowledged then.
    """

    def __init__(self, on_failure: Callable[[BaseException], Awaitable[None]]) -> None:
        self._on_failure = on_failure
        self._last: asyncio.Task[bool] | None = None
        self._held = 0

    def add(
        self,
        events: Sequence[EventT[Any]],
        records: int,
        rest: Coroutine[Any, Any, None] | None,
    ) -> None:
        """Acknowledge a batch, when ``rest`` is done and all before it are acknowledged.

        Args:
            events: what Faust handed over.
            records: how many there are in it.
            rest: what is still to be done; it begins now.
        """
        if rest is None and self._last is None:
            _acknowledge(events)
            return
        work = None if rest is None else asyncio.create_task(rest)
        self._held += records
        self._last = asyncio.create_task(self._follow(self._last, work, events, records))

    async def _follow(
        self,
        before: asyncio.Task[bool] | None,
        work: asyncio.Task[None] | None,
        events: Sequence[EventT[Any]],
        records: int,
    ) -> bool:
        """Whether it could be acknowledged."""
        fine = before is None or await before
        try:
            if work is not None:
                await work
        except Exception as error:  # whatever it is: the batch isn't done, and the worker ends
            await self._on_failure(error)
            fine = False
        if fine:
            _acknowledge(events)
            self._held -= records
        if self._last is asyncio.current_task() and fine:
            self._last = None
        return fine

    async def has_room(self) -> None:
        """Return when not too many records wait."""
        while self._held > HELD_RECORDS and self._last is not None and not self._last.done():
            await asyncio.wait({self._last})

    async def empty(self) -> None:
        """Return when nothing waits any more, or never will be acknowledged."""
        while self._last is not None and not self._last.done():
            await asyncio.wait({self._last})


def _acknowledge(events: Sequence[EventT[Any]]) -> None:
    for event in events:
        event.ack()
