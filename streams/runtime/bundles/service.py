"""Bundles while the worker runs: announced, verified, swapped, and everybody brought over.

Every worker reads the bundles topic by itself, from its beginning, with no group: all decide from
the same announcements by the same rule, each for itself and at its own time. Two workers may
therefore run different bundles for a moment; each vector says which made it, and what they store
says so too (``streams.update.renewal``).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import aiokafka
import msgspec
from aiokafka.errors import KafkaError
from faust import Service

from streams.errors import PublishError, UnfitBundleError
from streams.runtime.bundles.announcement import PARTITION, Announcement, Announcements
from streams.runtime.bundles.loading import LoadedBundle, load_announced
from streams.runtime.bundles.worker_status import WorkerStatus
from streams.runtime.pipelines.update import UpdatePipeline
from streams.runtime.running_app import RunningApp
from streams.runtime.sending.publisher import NO_HEADERS, now_ms
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.services.items_reader import ItemsReader
from streams.runtime.services.live_quality import QualityService
from streams.runtime.services.progress import Progress
from streams.runtime.transport.leader_refresh import Consumer
from streams.runtime.transport.whole_topic import POLL_MS, Fetched, read_to_end

log = logging.getLogger(__name__)

Pair = tuple[bytes | None, bytes | None]
"""Key and value of a record."""

RETRY_S: Final = 1.0
TICK_S: Final = 0.1
IDLE_S: Final = 1.0
REPORT_S: Final = 30.0
"""How often a worker says again which bundle it runs."""


class BundleService(Service):
    """Follows the announcements.

    Args:
        app: the worker.
        use: has the app compute with another bundle from here on; nothing may be on its way.
        options: options of :class:`aiokafka.AIOKafkaConsumer`.
        items_reader: brings another bundle's items up to date.
        update: lets another bundle in between two batches, and brings users over to it.
        progress: knows whether the partitions are ours and recovered.
        quality: tries a shadow.

    Attributes:
        announcements: what was announced.
        refused: the announced bundle that this worker didn't take, and why.
    """

    logger = SERVICE_LOG

    def __init__(
        self,
        app: RunningApp,
        use: Callable[[LoadedBundle], None],
        options: dict[str, Any],
        items_reader: ItemsReader,
        update: UpdatePipeline,
        progress: Progress,
        quality: QualityService,
    ) -> None:
        super().__init__()
        self._app = app
        self._use = use
        self._options = options
        self._items_reader = items_reader
        self._update = update
        self._progress = progress
        self._quality = quality
        self._consumer: aiokafka.AIOKafkaConsumer | None = None
        self.announcements = Announcements()
        self.refused: tuple[Announcement, str] | None = None
        self._refused_shadow: Announcement | None = None
        self._tried_at = 0.0
        self._said_at = 0.0
        self._said: WorkerStatus | None = None
        self.worker = f"{socket.gethostname()}:{app.settings.http.port}"

    async def on_start(self) -> None:
        """Begin with the newest announced bundle that can be used, else with the configured."""
        self._consumer = Consumer(**self._options, enable_auto_commit=False)
        await self._consumer.start()
        topic = self._app.settings.bundles.topic
        await read_one_partition(self._consumer, topic, self.announcements.take)
        for announcement in self.announcements.newest("active"):
            if await self._begin_with(announcement):
                return

    async def on_stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def _begin_with(self, announcement: Announcement) -> bool:
        """Use a bundle before the first event; nothing is known yet of what is stored."""
        if announcement.bundle == self._app.bundle.bundle_id:
            return True
        loaded = await self._load(announcement, first=True)
        if loaded is None:
            return False
        log.info("beginning with the announced bundle %s", announcement.bundle)
        self._use(loaded)
        return True

    async def _load(
        self, announcement: Announcement, *, first: bool = False
    ) -> LoadedBundle | None:
        """A bundle made ready, in a thread: the old one goes on meanwhile."""
        app = self._app
        present = None if first else app.bundle.contract
        try:
            return await asyncio.to_thread(load_announced, app.settings, announcement, present)
        except UnfitBundleError as error:
            self._refuse(announcement, error)
            return None

    def _refuse(self, announcement: Announcement, error: UnfitBundleError) -> None:
        if self.refused == (announcement, str(error)):
            return  # looked at again, and nothing has changed
        self.refused = (announcement, str(error))
        self._app.metrics.bundle_refusals.labels(error.reason).inc()
        log.error(
            "the announced bundle %s is refused (%s): %s; %s goes on",
            announcement.bundle,
            error.reason,
            error,
            self._app.bundle.bundle_id,
        )

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            assert self._consumer is not None
            try:
                fetched = await self._consumer.getmany(timeout_ms=POLL_MS)
            except KafkaError as error:
                log.warning("reading the bundles topic failed, again in a moment: %r", error)
                await self.sleep(RETRY_S)
                continue
            self.announcements.take(_pairs(fetched))
            if self.announcements.ignored:
                log.warning("bundles topic: %s", self.announcements.ignored)
                self.announcements.ignored = ""
            try:
                await self._consider(announced=bool(fetched))
                await self._consider_shadow()
            except KafkaError as error:
                log.warning("items for another bundle can't be read, again in a moment: %r", error)
                await self.sleep(RETRY_S)
            await self._report()

    async def _consider(self, *, announced: bool) -> None:
        """Use the newest announcement, if it isn't in force and wasn't refused just now."""
        wanted = self.announcements.active()
        if wanted is None or wanted.bundle == self._app.bundle.bundle_id:
            self.refused = None
            return
        same = self.refused is not None and self.refused[0] == wanted
        retry_s = self._app.settings.bundles.retry_s
        if same and not announced and time.monotonic() - self._tried_at < retry_s:
            return
        self._tried_at = time.monotonic()
        loaded = await self._load(wanted)
        if loaded is not None:
            await self._swap(loaded)

    async def _consider_shadow(self) -> None:
        """Try the announced shadow beside the active bundle, or end that."""
        app = self._app
        wanted = self.announcements.shadow()
        if wanted is not None and wanted.bundle == app.bundle.bundle_id:
            wanted = None
        name = "" if wanted is None else wanted.bundle
        if name == self._quality.shadow:
            return
        if wanted is None or wanted == self._refused_shadow:
            self._end_shadow()
            return
        try:
            present = app.bundle.contract
            loaded = await asyncio.to_thread(load_announced, app.settings, wanted, present)
        except UnfitBundleError as error:
            self._refused_shadow = wanted
            app.metrics.bundle_refusals.labels(error.reason).inc()
            log.error("the shadow bundle %s is refused (%s): %s", name, error.reason, error)
            return
        await self._items_reader.prepare(loaded)
        self._end_shadow()
        self._quality.try_beside(loaded)
        log.info("bundle %s is tried beside %s", name, app.bundle.bundle_id)

    def _end_shadow(self) -> None:
        shadow = self._quality.shadow
        if shadow:
            if shadow != self._app.bundle.bundle_id:
                self._items_reader.drop(shadow)
            self._quality.try_beside(None)

    async def _swap(self, loaded: LoadedBundle) -> None:
        app = self._app
        before = app.bundle
        await self._items_reader.prepare(loaded)
        while not await self._update.between(partial(self._use, loaded)):
            await self.sleep(TICK_S)  # partitions were on the move
        self._items_reader.lead(loaded.bundle.bundle_id)
        self._items_reader.drop(before.bundle_id)
        app.metrics.bundle_swaps.inc()
        self.refused = None
        log.info("bundle %s took the place of %s", loaded.bundle.bundle_id, before.bundle_id)

    @Service.task
    async def _rebuild(self) -> None:
        """Bring users over in the background, at the rate that the settings allow."""
        rate = self._app.settings.bundles.rebuild_users_s
        while not self.should_stop:
            left = self.rebuilding()
            self._app.metrics.partitions_rebuilding.set(len(left))
            if not left:
                await self.sleep(IDLE_S)
                continue
            began = time.monotonic()
            users = max(1, int(rate * TICK_S))
            await self._update.between(partial(self._next, users))
            await self.sleep(max(0.0, users / rate - (time.monotonic() - began)))

    def _next(self, users: int) -> Any:
        """The next users, if the partitions are still ours and recovered."""
        left = self.rebuilding()
        return self._update.renew(left, users) if left else None

    def rebuilding(self) -> list[int]:
        """Our partitions that have users of another bundle left."""
        app = self._app
        if not self._progress.ready:
            return []
        store = app.store()
        return [p for p in app.own_partitions() if not app.updater.renewal(p, store).complete]

    async def _report(self) -> None:
        """Say on the status topic what this worker runs; at once where it changes."""
        status = self.status()
        known = self._said is not None and msgspec.structs.replace(
            status, at_ms=self._said.at_ms, quality=self._said.quality
        )
        if known == self._said and time.monotonic() - self._said_at < REPORT_S:
            return
        self._said, self._said_at = status, time.monotonic()
        value = msgspec.json.encode(status)
        record = (self.worker.encode(), value, status.at_ms, NO_HEADERS)
        topic = self._app.settings.bundles.status_topic
        try:
            await (await self._app.publisher.send(topic, {PARTITION: [record]})).wait()
        except (KafkaError, PublishError) as error:
            log.warning("the status topic can't be written, again later: %r", error)

    def status(self) -> WorkerStatus:
        """What this worker runs."""
        refused, why = ("", "") if self.refused is None else self.refused
        return WorkerStatus(
            worker=self.worker,
            bundle=self._app.bundle.bundle_id,
            refused=refused.bundle if isinstance(refused, Announcement) else "",
            why=why,
            shadow=self._quality.shadow,
            rebuilding=tuple(self.rebuilding()),
            at_ms=now_ms(),
            quality=self._quality.figures(),
        )


async def read_one_partition(
    consumer: aiokafka.AIOKafkaConsumer, topic: str, take: Callable[[Iterable[Pair]], None]
) -> None:
    """Read a topic's one partition to its end; the consumer is left behind the last record."""
    partition = aiokafka.TopicPartition(topic, PARTITION)
    await read_to_end(consumer, [partition], lambda fetched: take(_pairs(fetched)))


def _pairs(fetched: Fetched) -> list[Pair]:
    return [(record.key, record.value) for records in fetched.values() for record in records]
