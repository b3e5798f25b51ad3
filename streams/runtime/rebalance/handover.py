"""Partitions are taken away, and others given: what is done in the worker before it goes on.

Faust calls in this order: :meth:`Handover.let_go` once partitions are revoked; the table then
shuts out their former owners (:mod:`streams.runtime.rebalance.fence`) and reads the changelog;
meanwhile :meth:`Handover.take_up` lets batches in again, which come after the recovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from faust.types import TP


class Holder(Protocol):
    """Has batches of the partitions that are ours: a pipeline."""

    async def let_go(self) -> None:
        """See home what is on its way, and drop what waits."""

    def take_up(self) -> None:
        """What comes from here on counts."""


class Handover:
    """Lets partitions go and takes others up.

    Args:
        holders: who has batches of them.
        release: forgets the users that are in memory.
        forget: forgets what is shown of partitions.
    """

    def __init__(
        self,
        holders: Sequence[Holder],
        release: Callable[[], None],
        forget: Callable[[set[TP]], None],
    ) -> None:
        self._holders = holders
        self._release = release
        self._forget = forget

    async def quiesce(self) -> None:
        """See home what is on its way, and drop what waits: it is read again."""
        await asyncio.gather(*(holder.let_go() for holder in self._holders))

    async def let_go(self, app: Any, revoked: Any, **kwargs: Any) -> None:
        """Another worker may change these users from here on; nothing of them is kept."""
        await self.quiesce()
        self._release()
        self._forget(set(revoked))

    async def take_up(self, app: Any, assigned: Any, **kwargs: Any) -> None:
        """There are partitions again."""
        for holder in self._holders:
            holder.take_up()
