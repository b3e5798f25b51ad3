"""The broadcast reader: every worker reads every partition of the items topics.

Faust's GlobalTable was to be that and doesn't hold (docs/architecture.md), so this is a
consumer without a group, from the beginning of the compacted topics.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import aiokafka
import numpy as np
from aiokafka.errors import KafkaError
from mode import Service

from streams.errors import BrokerError
from streams.intake.readers.base import REFUSED
from streams.intake.readers.items import ItemRecord, parse_item
from streams.metrics.metrics import Metrics
from streams.runtime.bundles.loading import LoadedBundle
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.transport.leader_refresh import Consumer
from streams.runtime.transport.whole_topic import POLL_MS, Fetched, read_to_end
from streams.settings import Settings

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
CATCH_UP_S: Final = 300.0
"""How long the start may take."""


class ItemsReader(Service):
    """Adds items that arrive on the items topics to the catalogue.

    An item that the bundle doesn't know gets its vector from its title, where the bundle has
    a text projection; without one it stays unknown.

    Args:
        options: options of :class:`aiokafka.AIOKafkaConsumer` (bootstrap, security).
        settings: the worker's settings (items topics, longest id).
        active: the active bundle, whose catalogue the update looks items up in; others may be
            followed beside it.
        metrics: what happened.
    """

    logger = SERVICE_LOG

    def __init__(
        self,
        options: Mapping[str, Any],
        settings: Settings,
        active: LoadedBundle,
        metrics: Metrics,
    ) -> None:
        super().__init__()
        self._options = dict(options)
        self._topics = settings.item_topics()
        self._max_id_bytes = settings.intake.max_id_bytes
        self._followed = {active.bundle.bundle_id: active}
        self._metrics = metrics
        self._consumer: aiokafka.AIOKafkaConsumer | None = None

    async def on_start(self) -> None:
        """Read what is there, so that the first event finds its item."""
        self._consumer = Consumer(**self._options, enable_auto_commit=False)
        await self._consumer.start()
        try:
            await asyncio.wait_for(self._catch_up(self._consumer), CATCH_UP_S)
        except TimeoutError as error:
            raise BrokerError(
                f"the items topics {sorted(self._topics)} weren't read to their end within "
                f"{CATCH_UP_S:g} s; check the broker, or the size of these topics"
            ) from error

    async def on_stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    def use(self, loaded: LoadedBundle) -> None:
        """Follow the items for another bundle alone; before the start."""
        self._followed = {loaded.bundle.bundle_id: loaded}

    async def prepare(self, loaded: LoadedBundle) -> None:
        """Bring the catalogue of another bundle up to date, and keep it so.

        New items are added to all that are followed from here on; what is on the topics already
        is read again for this one.

        Raises:
            KafkaError: the topics can't be read; the bundle isn't followed then.
        """
        bundle_id = loaded.bundle.bundle_id
        self._followed[bundle_id] = loaded
        try:
            async with Consumer(**self._options, enable_auto_commit=False) as consumer:
                await self._catch_up(consumer, bundle_id)
        except BaseException:
            self.drop(bundle_id)
            raise

    def lead(self, bundle_id: str) -> None:
        """This bundle computes from here on: the metrics are of its items."""
        first = {bundle_id: self._followed.pop(bundle_id)}
        self._followed = first | self._followed
        self._show()

    def drop(self, bundle_id: str) -> None:
        """A bundle that is no longer needed."""
        if len(self._followed) > 1:
            self._followed.pop(bundle_id, None)

    async def _catch_up(self, consumer: aiokafka.AIOKafkaConsumer, only: str | None = None) -> None:
        partitions = [
            aiokafka.TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(await self._partitions(consumer, topic))
        ]
        await read_to_end(consumer, partitions, partial(self._take, only))
        self._show()

    async def _partitions(self, consumer: aiokafka.AIOKafkaConsumer, topic: str) -> set[int]:
        found = consumer.partitions_for_topic(topic)
        while not found:
            await consumer._client.force_metadata_update()
            await consumer._client.fetch_all_metadata()
            found = consumer.partitions_for_topic(topic)
        return set(found)

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            assert self._consumer is not None
            try:
                self._take(None, await self._consumer.getmany(timeout_ms=POLL_MS))
            except KafkaError as error:
                log.warning("reading the items topics failed, again in a moment: %r", error)
                await self.sleep(RETRY_S)

    def _take(self, only: str | None, fetched: Fetched) -> None:
        """Add what came to the catalogues that are followed, or to that of one bundle only."""
        followed = [f for name, f in self._followed.items() if only in (None, name)]
        for tp, records in fetched.items():
            for loaded in followed:
                self._add(loaded, self._topics[tp.topic], records)
        if fetched:
            self._show()

    def _add(self, loaded: LoadedBundle, platform: str, records: Sequence[Any]) -> None:
        """New items of one platform; those that the bundle knows keep their vectors."""
        catalogue, text = loaded.catalogue, loaded.bundle.text
        if platform not in catalogue.platforms:
            return
        items = catalogue.items[catalogue.platforms.index(platform)]
        titles: dict[str, str] = {}
        for record in records:
            try:
                item = parse_item(record.key, record.value, self._max_id_bytes)
            except REFUSED:
                continue  # intake writes the dead letter, once
            if isinstance(item, ItemRecord) and not items.is_of_bundle(item.item_id):
                titles[item.item_id] = item.title
        if not titles or text is None:
            return
        vectors, _ = text.encode(platform, list(titles.values()))
        for item_id, vector in zip(titles, np.asarray(vectors, np.float32), strict=True):
            items.add(item_id, vector)

    def _show(self) -> None:
        catalogue = next(iter(self._followed.values())).catalogue
        for platform, items in zip(catalogue.platforms, catalogue.items, strict=True):
            self._metrics.catalogue_items.labels(platform).set(len(items))
