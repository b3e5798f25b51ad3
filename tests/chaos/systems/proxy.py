"""TCP between each worker and each broker, which can be cut as a network is.

A worker has a listener of its own at every broker, whose advertised address is a port here. So
one worker can be cut off while the others and the producers go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Final, Self

CHUNK: Final = 256 * 1024
HOST: Final = "127.0.0.1"


class _Line:
    """All connections of one worker."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.writers: set[asyncio.StreamWriter] = set()


class Proxies:
    """Forwards ports on a thread of its own; a context manager.

    Args:
        routes: ``{worker: {port here: port of the broker's listener}}``.
    """

    def __init__(self, routes: Mapping[str, Mapping[int, int]]) -> None:
        self._routes = routes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self, worker: str) -> None:
        """Nothing passes any more, in either direction, and nobody is told."""
        self._do(self._set(worker, passes=False))

    def heal(self, worker: str) -> None:
        """What was held goes on, as after retransmission; whoever gave up connects again."""
        self._do(self._set(worker, passes=True))

    def reset(self, worker: str) -> None:
        """Every connection is closed at once."""
        self._do(self._reset(worker))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._servers = []
        for worker, ports in self._routes.items():
            self._lines[worker] = _Line()
            for port, upstream in ports.items():
                handle = self._handler(self._lines[worker], upstream)
                self._servers.append(await asyncio.start_server(handle, HOST, port))

    def _handler(self, line: _Line, upstream: int) -> Any:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._serve(line, upstream, reader, writer)
            except (OSError, asyncio.CancelledError):
                pass  # a broker that is down, or the end of the run
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                self._tasks.discard(task)

        return handle

    async def _serve(
        self,
        line: _Line,
        upstream: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await line.open.wait()
        there_reader, there = await asyncio.open_connection(HOST, upstream)
        ends = {writer, there}
        line.writers |= ends
        pumps = [
            asyncio.create_task(_pump(line, reader, there)),
            asyncio.create_task(_pump(line, there_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            line.writers -= ends
            for pump in pumps:
                pump.cancel()
            there.close()
            with contextlib.suppress(OSError):
                await there.wait_closed()

    async def _set(self, worker: str, *, passes: bool) -> None:
        line = self._lines[worker]
        line.open.set() if passes else line.open.clear()

    async def _reset(self, worker: str) -> None:
        for writer in list(self._lines[worker].writers):
            writer.transport.abort()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(line: _Line, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            await line.open.wait()
            sink.write(data)
            await sink.drain()
