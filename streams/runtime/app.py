"""The Faust app: agents, table and services, put together from the settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, cast

import faust
from aiokafka.structs import TopicPartition
from faust.streams import Stream
from faust.types import StreamT
from mode.types import ServiceT

from streams.bundles.bundle import Bundle
from streams.errors import StuckError
from streams.intake.reasons import REJECTED
from streams.metrics.metrics import Metrics
from streams.publish.unusable_vectors import BAD_VECTOR
from streams.runtime.bundles.loading import LoadedBundle, make_encoder, updater_of
from streams.runtime.bundles.service import BundleService
from streams.runtime.checks import TopicReport, check_bundle
from streams.runtime.dead_letters.lookup import LetterLookup
from streams.runtime.dead_letters.sweep import LetterSweeper
from streams.runtime.dead_letters.topic import LetterTopic
from streams.runtime.options import client_options, faust_options
from streams.runtime.pipelines.intake import IntakePipeline
from streams.runtime.pipelines.update import UpdatePipeline
from streams.runtime.rebalance.fence import PartitionPublishers
from streams.runtime.sending.publisher import Publisher, now_ms
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.services.guard import Guard
from streams.runtime.services.items_reader import ItemsReader
from streams.runtime.services.live_quality import QualityService, make_sampler
from streams.runtime.services.memory import GiveBack
from streams.runtime.services.progress import Progress
from streams.runtime.table.user_store import UserStore, open_store
from streams.runtime.table.user_table import UserTable
from streams.runtime.topics import changelog_topic
from streams.runtime.web import views
from streams.runtime.web.access import Access
from streams.secrets import use_hash_key
from streams.settings import Settings
from streams.update.loading import STORED_VALUE
from streams.update.records.adoption import ADOPTED
from streams.update.refused_records import LOG_RECORD

log = logging.getLogger(__name__)

INTAKE_RECORDS = 4_000
"""Records of one intake batch: some 20 ms of work between looks at the event loop."""


class InterestApp(faust.App):
    """A Faust app that knows the settings and the bundle.

    Attributes:
        settings: the worker's settings.
        bundle: the active bundle.
        metrics: every metric of the worker.
        letters: the topic of the dead letters.
        failure: what ended the worker, if something did.
        topic_partitions: partitions of every topic, as the check at start found them.
    """

    logger = SERVICE_LOG

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        super().__init__(settings.service.name, **faust_options(settings))
        self.settings = settings
        self.bundle = bundle
        self.metrics = Metrics()
        self.access = Access.of(settings)
        self.failure: BaseException | None = None
        self._failing: asyncio.Future[None] | None = None
        self.topic_partitions: dict[str, int] = {}
        loaded = LoadedBundle.of(settings, bundle)
        self.engine = loaded.engine
        self.updater = updater_of(settings, loaded)
        self.updater.observer = make_sampler(settings, loaded, None)
        self.publisher = Publisher(client_options(settings))
        self.letters = LetterTopic(
            client_options(settings), settings.deadletter.topic, self.publisher
        )
        self.owned = self._partition_publishers()
        self.users = self._user_table()
        self.users.take_over = self.owned.take_over
        self.users.cannot_recover = self._fail_soon
        self._user_store: UserStore | None = None
        self.encoder = make_encoder(settings, bundle)
        self.intake = self._intake_pipeline()
        self.update = self._update_pipeline()
        self.items_reader = ItemsReader(
            client_options(settings),
            settings,
            bundle,
            self.updater.catalogue,
            self.metrics,
        )
        self.bundles = BundleService(self, client_options(settings))
        self.quality = QualityService(self)
        self.progress = Progress(self)
        self.guard = Guard(self)
        self._declare_metrics()
        self._add_agents()
        self.on_partitions_revoked.connect(cast(Any, self._let_go))
        self.on_partitions_assigned.connect(cast(Any, self._take_up))
        views.add_views(self)

    def _partition_publishers(self) -> PartitionPublishers:
        return PartitionPublishers(
            self.publisher,
            client_options(self.settings),
            f"{self.settings.service.name}-users-",
            changelog_topic(self.settings),
            self._vector_partitions,
            fencing=self.settings.kafka.fencing,
        )

    def _user_table(self) -> UserTable:
        return cast(
            UserTable,
            self.Table(
                "users",
                key_type=bytes,
                value_type=bytes,
                partitions=self.settings.events.partitions,
                # With 1 Faust would go on reading a changelog that is ours alone, and write what
                # it reads over what has been stored since.
                recovery_buffer_size=2,
            ),
        )

    def store(self) -> UserStore:
        """The local store, by partition."""
        if self._user_store is None:
            self._user_store = open_store(self.users)
        return self._user_store

    def know_topics(self, report: TopicReport) -> None:
        """Take what the check at start found out about the topics."""
        self.topic_partitions.update(report.partitions)

    def _vector_partitions(self) -> list[TopicPartition]:
        topics = sorted(set(self.settings.output_topics().values()))
        return [TopicPartition(t, p) for t in topics for p in range(self.topic_partitions[t])]

    def source_topics(self) -> list[str]:
        """Every topic that the group reads: the platforms' and the log."""
        return [*self.settings.intake_topics(), self.settings.events.topic]

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """Our services start before Faust's: the first event finds items and a producer."""
        ours = [
            _PublisherService(self.publisher, self.owned),
            self.bundles,
            self.items_reader,
            self.intake,
            self.update,
        ]
        watching = [self.progress, self.guard, self.quality, GiveBack()]
        return [*ours, *super().on_init_dependencies(), *watching]

    async def fail(self, error: BaseException) -> None:
        """End the worker; nothing that isn't acknowledged is committed."""
        if self.failure is None:
            self.failure = error
            self.metrics.batch_failures.inc(not isinstance(error, StuckError))
            await self.crash(error)

    def _fail_soon(self, error: Exception) -> None:
        """:meth:`fail`, from what isn't a coroutine; twice is once."""
        self._failing = self._failing or asyncio.ensure_future(self.fail(error))

    def use(self, loaded: LoadedBundle) -> None:
        """Compute with another bundle from here on; nothing may be on its way.

        Users are read from the store again, and computed again where another bundle made them.
        """
        self.bundle, self.engine = loaded.bundle, loaded.engine
        contract = loaded.bundle.contract
        self.encoder = make_encoder(self.settings, loaded.bundle)
        self.updater.swap(loaded.for_update(self.settings))
        self.updater.observer = make_sampler(self.settings, loaded, self.updater.observer)
        self.quality.forget_others()
        self.update.use(self.encoder, contract.actions)
        if not self.items_reader.started:
            self.items_reader.use(loaded.bundle, loaded.catalogue)
        self._declare_metrics()

    def _intake_pipeline(self) -> IntakePipeline:
        return IntakePipeline(
            self.settings,
            self.publisher,
            LetterLookup(self.letters),
            self.metrics,
            self.topic_partitions,
            now_ms,
            max_records=INTAKE_RECORDS,
            on_failure=self.fail,
        )

    def _update_pipeline(self) -> UpdatePipeline:
        return UpdatePipeline(
            self.settings,
            self.updater,
            self.store,
            self.encoder,
            self.publisher,
            self.owned,
            LetterSweeper(self.letters, self.publisher),
            self.metrics,
            changelog_topic(self.settings),
            self.topic_partitions,
            self.bundle.contract.actions,
            now_ms,
            max_records=self.settings.service.batch_records,
            on_failure=self.fail,
        )

    def _declare_metrics(self) -> None:
        names = self.settings.platform_names()
        reasons = [*REJECTED, LOG_RECORD, STORED_VALUE, ADOPTED, BAD_VECTOR]
        self.metrics.declare(names, self.bundle.contract.actions, names, reasons)
        self.metrics.set_info(views.VERSION, self.bundle.bundle_id, self.engine.provider)
        self.metrics.set_bundle("active", self.bundle.bundle_id)
        self.metrics.declare_quality(names, ("active", "popularity"), self.bundle.bundle_id)

    def _add_agents(self) -> None:
        sources = self.topic(*self.settings.intake_topics(), key_type=bytes, value_type=bytes)
        events = self.topic(self.settings.events.topic, key_type=bytes, value_type=bytes)

        @self.agent(sources, name="intake")
        async def intake(stream: StreamT[Any]) -> None:
            async for event in cast(Stream[Any], stream).noack().events():
                await self.intake.put(event)

        @self.agent(events, name="update")
        async def update(stream: StreamT[Any]) -> None:
            async for event in cast(Stream[Any], stream).noack().events():
                await self.update.put(event)

    async def quiesce(self) -> None:
        """See home what is on its way, and drop what waits: it is read again."""
        await asyncio.gather(self.intake.let_go(), self.update.let_go())

    async def _let_go(self, app: Any, revoked: Any, **kwargs: Any) -> None:
        """Another worker may change these users from here on; nothing of them is kept."""
        await self.quiesce()
        self.updater.release()
        self.progress.forget(set(revoked))

    async def _take_up(self, app: Any, assigned: Any, **kwargs: Any) -> None:
        self.intake.take_up()
        self.update.take_up()


class _PublisherService(faust.Service):
    """Starts and stops the publishers with the app; partitions' own come with them."""

    logger = SERVICE_LOG

    def __init__(self, publisher: Publisher, owned: PartitionPublishers) -> None:
        super().__init__()
        self._publisher = publisher
        self._owned = owned

    async def on_start(self) -> None:
        await self._publisher.start()

    async def on_stop(self) -> None:
        await self._owned.stop()
        await self._publisher.stop()


def create_app(settings: Settings) -> InterestApp:
    """The app for some settings.

    Raises:
        BundleError: the bundle is damaged or doesn't fit the platforms.
        ProviderError: the ONNX provider that was asked for doesn't run here.
    """
    use_hash_key(settings.service.log_hash_key.get_secret_value())
    bundle = Bundle.load(settings.service.bundle)
    check_bundle(settings, bundle.contract)
    return InterestApp(settings, bundle)
