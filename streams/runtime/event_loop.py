"""The worker's event loop: uvloop, which doesn't wait long for a broker's farewell."""

from __future__ import annotations

from typing import Any, Final

import uvloop

FAREWELL_S: Final = 2.0
"""Longest wait for the other side to end a TLS connection that is being closed."""


class Loop(uvloop.Loop):
    """uvloop's loop with :data:`FAREWELL_S`.

    aiokafka's ``stop`` waits until its connections are closed. Over TLS that is when the broker has
    said so too; where it has something else to say first it doesn't, and uvloop waits for 30 s.
    """

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        """See :meth:`asyncio.loop.create_connection`."""
        if options.get("ssl"):
            options.setdefault("ssl_shutdown_timeout", FAREWELL_S)
        return await super().create_connection(*args, **options)


class LoopPolicy(uvloop.EventLoopPolicy):  # type: ignore[misc]  # uvloop says nothing of its type
    """Threads that make a loop of their own get this one: Faust's consumer does."""

    def _loop_factory(self) -> Loop:
        return Loop()
