"""What the parts of a worker may know of the app that they are in.

The app imports its services; they know it by this protocol alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from faust.types.tables import TableManagerT

from streams.bundles.bundle import Bundle
from streams.inference.engine import Engine
from streams.metrics.metrics import Metrics
from streams.runtime.bundles.loading import LoadedBundle
from streams.runtime.dead_letters.topic import LetterTopic
from streams.runtime.sending.publisher import Publisher
from streams.runtime.table.user_store import UserStore
from streams.runtime.table.user_table import UserTable
from streams.runtime.transport.consumer import BatchConsumer
from streams.settings import Settings
from streams.update.updater import Updater


class RunningApp(Protocol):
    """A worker's app, as its services, its views and its consumer see it.

    Attributes:
        settings: the worker's settings.
        metrics: every metric of the worker.
        bundle: the active bundle.
        engine: its graphs.
        updater: the pure update.
        users: the table of the users.
        letters: the topic of the dead letters.
        publisher: sends to every partition.
        failure: what ended the worker, if something did.
    """

    settings: Settings
    metrics: Metrics
    bundle: Bundle
    engine: Engine
    updater: Updater
    users: UserTable
    letters: LetterTopic
    publisher: Publisher
    failure: BaseException | None

    @property
    def batch_consumer(self) -> BatchConsumer:
        """What reads the partitions of the present assignment."""

    def own_partitions(self) -> list[int]:
        """Partitions of the log that are ours, in order."""

    def source_topics(self) -> list[str]:
        """Every topic that the group reads: the platforms' and the log."""

    def store(self) -> UserStore:
        """The local store, by partition."""

    def use(self, loaded: LoadedBundle) -> None:
        """Compute with another bundle from here on; nothing may be on its way."""

    async def fail(self, error: BaseException) -> None:
        """End the worker; nothing that isn't acknowledged is committed."""

    # -- Faust's

    rebalancing: bool

    @property
    def consumer_generation_id(self) -> int:
        """Number of the group's present generation."""

    @property
    def in_recovery(self) -> bool:
        """Whether the changelog is being read back."""

    @property
    def tables(self) -> TableManagerT:
        """The tables and their recovery."""

    @property
    def router(self) -> Any:
        """Which worker has which partition."""

    def page(self, path: str, *, name: str) -> Callable[[Callable[..., Any]], Any]:
        """Decorator of an answer to requests for a path."""
