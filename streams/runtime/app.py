"""The Faust app: agents, table and services, put together from the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from aiokafka.structs import TopicPartition
from faust.streams import Stream
from faust.types import StreamT
from mode.types import ServiceT

from streams.bundles.bundle import Bundle
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
from streams.runtime.pipelines.effects_sender import EffectsSender
from streams.runtime.pipelines.intake import IntakePipeline
from streams.runtime.pipelines.update import UpdatePipeline
from streams.runtime.rebalance.fence import PartitionPublishers, PublisherService
from streams.runtime.rebalance.handover import Handover
from streams.runtime.running_app import RunningApp
from streams.runtime.sending.publisher import KeyedPublisher, Publisher, now_ms
from streams.runtime.services.guard import Guard
from streams.runtime.services.items_reader import ItemsReader
from streams.runtime.services.live_quality import QualityService, make_sampler
from streams.runtime.services.memory import GiveBack
from streams.runtime.services.progress import Progress
from streams.runtime.table.user_table import UserTable
from streams.runtime.topics import changelog_topic
from streams.runtime.web import views
from streams.runtime.web.access import Access
from streams.secrets import use_hash_key
from streams.settings import Settings
from streams.update.loading import STORED_VALUE
from streams.update.records.adoption import ADOPTED
from streams.update.refused_records import LOG_RECORD

INTAKE_RECORDS = 4_000
"""Records of one intake batch: some 20 ms of work between looks at the event loop."""
REASONS = (*REJECTED, LOG_RECORD, STORED_VALUE, ADOPTED, BAD_VECTOR)
"""Why there may be a dead letter."""


class InterestApp(RunningApp):
    """The worker's app, put together; its parts know it as a :class:`RunningApp`.

    Attributes:
        topic_partitions: partitions of every topic, as the check at start found them.
        access: who may look at people's data.
    """

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        super().__init__(settings.service.name, **faust_options(settings))
        self.settings, self.bundle = settings, bundle
        self.metrics = Metrics()
        self.access = Access.of(settings)
        self.topic_partitions: dict[str, int] = {}

        loaded = LoadedBundle.of(settings, bundle)
        self.engine = loaded.engine
        self.updater = updater_of(settings, loaded)
        self.updater.observer = make_sampler(settings, loaded, None)

        options = client_options(settings)
        self.publisher = Publisher(options)
        self.letters = LetterTopic(options, settings.deadletter.topic, self.publisher)
        self.owned = self._partition_publishers(options)
        self.users = self._user_table()

        self._make_pipelines()
        self.items_reader = ItemsReader(options, settings, loaded, self.metrics)
        self.progress = Progress(self)
        self.guard = Guard(self, self.progress)
        self.quality = QualityService(self)
        self.bundles = BundleService(
            self, self.use, options, self.items_reader, self.update, self.progress, self.quality
        )
        self._declare_metrics()
        self._add_agents()
        pipelines = (self.intake, self.update)
        self.handover = Handover(pipelines, self.updater.release, self.progress.forget)
        self.on_partitions_revoked.connect(cast(Any, self.handover.let_go))
        self.on_partitions_assigned.connect(cast(Any, self.handover.take_up))
        views.add_views(self, self.progress, self.access)

    # -- what it is put together of

    def _partition_publishers(self, options: dict[str, Any]) -> PartitionPublishers:
        return PartitionPublishers(
            self.publisher,
            options,
            f"{self.settings.service.name}-users-",
            changelog_topic(self.settings),
            self._vector_partitions,
            fencing=self.settings.kafka.fencing,
        )

    def _user_table(self) -> UserTable:
        table = self.Table(
            "users",
            key_type=bytes,
            value_type=bytes,
            partitions=self.settings.events.partitions,
            # With 1 Faust would go on reading a changelog that is ours alone, and write what
            # it reads over what has been stored since.
            recovery_buffer_size=2,
        )
        users = cast(UserTable, table)
        users.take_over = self.owned.take_over
        users.cannot_recover = self.fail_soon
        return users

    def _make_pipelines(self) -> None:
        settings = self.settings
        keyed = KeyedPublisher(self.publisher, self.topic_partitions)
        self.intake = IntakePipeline(
            settings,
            keyed,
            LetterLookup(self.letters),
            self.metrics,
            now_ms,
            max_records=INTAKE_RECORDS,
            on_failure=self.fail,
        )
        self.update = UpdatePipeline(
            self.updater,
            self.store,
            EffectsSender(
                settings,
                make_encoder(settings, self.bundle),
                keyed,
                self.owned,
                changelog_topic(settings),
                now_ms,
            ),
            LetterSweeper(self.letters, self.publisher),
            self.metrics,
            now_ms,
            max_records=settings.service.batch_records,
            on_failure=self.fail,
        )

    def _declare_metrics(self) -> None:
        names, bundle_id = self.settings.platform_names(), self.bundle.bundle_id
        self.metrics.declare(names, self.bundle.contract.actions, names, REASONS)
        self.metrics.set_info(views.VERSION, bundle_id, self.engine.provider)
        self.metrics.set_bundle("active", bundle_id)
        self.metrics.declare_quality(names, ("active", "popularity"), bundle_id)

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

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """Our services start before Faust's: the first event finds items and a producer."""
        ours = [
            PublisherService(self.publisher, self.owned),
            self.bundles,
            self.items_reader,
            self.intake,
            self.update,
        ]
        watching = [self.progress, self.guard, self.quality, GiveBack()]
        return [*ours, *super().on_init_dependencies(), *watching]

    # -- what its parts ask it for

    def know_topics(self, report: TopicReport) -> None:
        """Take what the check at start found out about the topics."""
        self.topic_partitions.update(report.partitions)

    def _vector_partitions(self) -> list[TopicPartition]:
        topics = sorted(set(self.settings.output_topics().values()))
        return [TopicPartition(t, p) for t in topics for p in range(self.topic_partitions[t])]

    async def quiesce(self) -> None:
        """See home what is on its way, and drop what waits: it is read again."""
        await self.handover.quiesce()

    def use(self, loaded: LoadedBundle) -> None:
        """Compute with another bundle from here on; nothing may be on its way.

        Users are read from the store again, and computed again where another bundle made them.
        """
        self.bundle, self.engine = loaded.bundle, loaded.engine
        self.updater.swap(loaded.for_update(self.settings))
        self.updater.observer = make_sampler(self.settings, loaded, self.updater.observer)
        self.quality.forget_others()
        self.update.use(make_encoder(self.settings, loaded.bundle))
        if not self.items_reader.started:
            self.items_reader.use(loaded)
        self._declare_metrics()


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
