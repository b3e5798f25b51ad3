"""A worker in which something stops moving; the argument says what.

The fault begins once an event has been applied (``recovery``: at once); the rest is the real
worker. When something stands still for the first time, a line says so (:data:`BEGINS`).
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from functools import cache
from typing import Any, Final

from streams.cli import main as cli
from streams.inference.engine import Engine
from streams.runtime.pipelines.update import UpdatePipeline
from streams.runtime.transport.consumer import BatchConsumer
from streams.runtime.transport.consumer_thread import BatchConsumerThread
from streams.update.updater import Updater

BEGINS: Final = "stands still since"


@cache  # the first time counts
def begins() -> None:
    """Say since when, for the test to measure from."""
    sys.stderr.write(f"{BEGINS} {time.time():.3f}\n")
    sys.stderr.flush()


def onnx() -> None:
    """A call that never returns, without Python's lock: as ONNX Runtime would hang."""
    stuck = threading.Event()
    call = Engine._call

    def hang(self: Any, run: Any, feeds: Any) -> Any:
        begins()
        return call(self, lambda *_: stuck.wait(), feeds)

    Engine._call = hang  # type: ignore[method-assign]


def loop() -> None:
    """Something else that blocks the event loop."""

    def hang(*_: Any) -> Any:
        begins()
        return threading.Event().wait()

    Updater.process = hang  # type: ignore[method-assign, assignment]


def commit() -> None:
    """Commits that the group refuses, for ever."""

    async def refused(self: Any, offsets: Any) -> bool:
        begins()
        return False

    BatchConsumer._commit = refused  # type: ignore[method-assign]


def progress() -> None:
    """Partitions of the log that aren't fetched, while all others are."""
    wanted = BatchConsumer._wanted
    if wanted.__name__ == "some":
        return

    def some(self: Any, share: Any) -> Any:
        return {tp for tp in wanted(self, share) if not tp.topic.endswith(".events")}

    BatchConsumer._wanted = some  # type: ignore[method-assign]


def recovery() -> None:
    """States that can't be read back."""
    take = BatchConsumerThread.take

    async def nothing(self: Any, assignment: Any, partitions: Any, timeout_s: float) -> Any:
        changelog = {tp for tp in partitions if tp.topic.endswith("changelog")}
        if changelog:
            begins()
            await asyncio.sleep(timeout_s)
        return await take(self, assignment, set(partitions) - changelog, timeout_s)

    BatchConsumerThread.take = nothing  # type: ignore[method-assign]


FAULTS = {f.__name__: f for f in (onnx, loop, commit, progress, recovery)}


def main() -> int:
    """Run the worker; its fault comes with the first finished batch."""
    fault = FAULTS[sys.argv[1]]
    if fault is recovery:
        fault()
    finished = UpdatePipeline.finished

    def then(self: Any, batches: Any, seconds: float) -> None:
        finished(self, batches, seconds)
        if batches and fault is not recovery:  # without any it was work between two batches
            fault()

    UpdatePipeline.finished = then  # type: ignore[method-assign]
    return cli.main(["worker"])


if __name__ == "__main__":
    sys.exit(main())
