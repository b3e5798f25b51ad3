"""Faust's table and topic, taught about batches, and the store behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from faust.tables.table import Table
from faust.types import TP, EventT

from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.table.local_store import LocalStore
from streams.runtime.table.user_store import put_in_memory
from streams.runtime.transport.fetched_batch import FetchedBatch


class UserTable(Table[Any, Any]):
    """A plain Faust table: user key → stored value (bytes), recovered in batches."""

    logger = SERVICE_LOG

    recovered = 0
    take_over: Callable[[set[int], int], Awaitable[None]] | None = None
    """Called with the partitions that are ours from now on and the group's generation, before
    their changelog is read."""
    cannot_recover: Callable[[Exception], None] | None = None
    """Called when a recovered record can't be stored. Faust logs that, and waits for ever for the
    recovery to end."""

    def _new_store_by_url(self, url: Any) -> Any:
        """Faust's store; of RocksDB the one that gives damaged databases up."""
        if not str(url).startswith("rocksdb:"):
            return super()._new_store_by_url(url)
        return LocalStore(
            url,
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            value_type=self.value_type,
            loop=self.loop,
            options=self.options,
        )

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """New partitions: shut their former owners out, then open the store."""
        # An assignment that a later one has overtaken must not shut out its owners.
        if self.take_over is not None and generation_id == self.app.consumer_generation_id:
            changelog = self.changelog_topic_name
            actives = self.app.assignor.assigned_actives()
            mine = {tp.partition for tp in actives if tp.topic == changelog}
            await self.take_over(mine, generation_id)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Write recovered records into the local store."""
        try:
            for event in batch:
                fetched = event.value
                assert isinstance(fetched, FetchedBatch)
                self.recovered += self._recover(fetched)
        except Exception as error:
            if self.cannot_recover is not None:
                self.cannot_recover(error)
            raise

    def _recover(self, fetched: FetchedBatch) -> int:
        store: Any = self.data
        if isinstance(store, LocalStore):
            return store.recover(fetched)
        pairs = zip(fetched.keys, fetched.values, strict=True)
        entries = [(key, value or None) for key, value in pairs if key is not None]
        put_in_memory(store, fetched.partition, entries)
        return len(entries)
