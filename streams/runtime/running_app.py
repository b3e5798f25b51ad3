"""What the parts of a worker may know of the app that they are in: this, and Faust's own."""

from __future__ import annotations

import asyncio
from typing import cast

import faust

from streams.bundles.bundle import Bundle
from streams.errors import StuckError
from streams.inference.engine import Engine
from streams.metrics.metrics import Metrics
from streams.runtime.dead_letters.topic import LetterTopic
from streams.runtime.sending.publisher import Publisher
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.table.user_store import UserStore, open_store
from streams.runtime.table.user_table import UserTable
from streams.runtime.transport.consumer import BatchConsumer
from streams.settings import Settings
from streams.update.updater import Updater


class RunningApp(faust.App):
    """A Faust app that is a worker; :class:`streams.runtime.app.InterestApp` puts one together.

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

    logger = SERVICE_LOG

    settings: Settings
    metrics: Metrics
    bundle: Bundle
    engine: Engine
    updater: Updater
    users: UserTable
    letters: LetterTopic
    publisher: Publisher
    failure: BaseException | None = None
    _failing: asyncio.Future[None] | None = None
    _user_store: UserStore | None = None

    @property
    def batch_consumer(self) -> BatchConsumer:
        """What reads the partitions of the present assignment."""
        return cast(BatchConsumer, self.consumer)

    def own_partitions(self) -> list[int]:
        """Partitions of the log that are ours, in order."""
        topic = self.settings.events.topic
        return sorted(tp.partition for tp in self.consumer.assignment() if tp.topic == topic)

    def source_topics(self) -> list[str]:
        """Every topic that the group reads: the platforms' and the log."""
        return [*self.settings.intake_topics(), self.settings.events.topic]

    def store(self) -> UserStore:
        """The local store, by partition."""
        if self._user_store is None:
            self._user_store = open_store(self.users)
        return self._user_store

    async def fail(self, error: BaseException) -> None:
        """End the worker; nothing that isn't acknowledged is committed."""
        if self.failure is None:
            self.failure = error
            self.metrics.batch_failures.inc(not isinstance(error, StuckError))
            await self.crash(error)

    def fail_soon(self, error: Exception) -> None:
        """:meth:`fail`, from what isn't a coroutine; twice is once."""
        self._failing = self._failing or asyncio.ensure_future(self.fail(error))
