"""Memory that was freed goes back to the operating system.

glibc keeps what is freed: in an arena for each of up to eight threads a core, and below whatever
is still in use above it. After a recovery, which passes every stored user through the process,
or a flood, that is several times what the worker holds. So there are few arenas, and what is
free in them is given back from time to time. Other C libraries are left as they are.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from typing import Any, Final

from mode import Service

from streams.runtime.service_log import SERVICE_LOG

M_ARENA_MAX: Final = -8
"""glibc's number for the parameter (malloc.h)."""
ARENAS: Final = 2
GIVE_BACK_S: Final = 10.0
"""Seconds between two looks for what can be given back."""


def limit_arenas() -> None:
    """Have all threads share a few arenas; to be called before they start."""
    if mallopt := _of_glibc("mallopt"):
        mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return free pages of the heap to the operating system; a few ms for some hundred MB."""
    if malloc_trim := _of_glibc("malloc_trim"):
        malloc_trim(0)


def _of_glibc(name: str) -> Callable[..., Any] | None:
    try:
        found: Callable[..., Any] | None = getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # not a Unix
        return None
    return found


class GiveBack(Service):
    """Gives free memory back every :data:`GIVE_BACK_S`, in a thread: the loop doesn't wait."""

    logger = SERVICE_LOG

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            await self.sleep(GIVE_BACK_S)
            await asyncio.to_thread(give_back)
