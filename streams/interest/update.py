"""The update: log batches in, effects out. No I/O but reads of the store that is given.

events → windows → steps → vectors, for all partitions of a fetch together:

1. decode, follow pointers, tell repeats from news (``marks``);
2. place events in their users' windows (``window``), going back where one came late;
3. advance the states in waves (``waves``);
4. migrate the changed states, and say what must be written where (``effects``).

Records that change who a user is (links) are applied between the events around them, so the
order of the log is the order of the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streams.interest.batch import BatchRun
from streams.interest.catalogue import Catalogue
from streams.interest.effects import Effects, LogBatch
from streams.interest.identity import Audience
from streams.interest.log import Event
from streams.interest.marks import Marks
from streams.interest.slab import Slab
from streams.interest.vectors import MigrateModel
from streams.interest.waves import StepModel


class Reader(Protocol):
    """The state table, as the update reads it."""

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values of keys of a partition, None where there is none."""


class Model(StepModel, MigrateModel, Protocol):
    """Step and migration; see ``models.contract``."""


class Updater:
    """Applies log batches to the users of the assigned partitions.

    Args:
        slab: users in memory.
        catalogue: items.
        model: the bundle's graphs.
        audience: who gets whose vectors.
        actions: the contract's actions.
        horizon_ms: length of the window in event time.
        log_topic: name of the log, for the source positions of forwarded records.

    Attributes:
        platform: platform name → contract index.
        action: action name → contract index.
        pointers: key of a local id that belongs to somebody → that user.
    """

    def __init__(
        self,
        slab: Slab,
        catalogue: Catalogue,
        model: Model,
        audience: Audience,
        actions: Sequence[str],
        *,
        horizon_ms: int,
        log_topic: str,
    ) -> None:
        self.slab = slab
        self.catalogue = catalogue
        self.model = model
        self.audience = audience
        self.horizon_ms = horizon_ms
        self.log_topic = log_topic
        self.platform = {name: i for i, name in enumerate(catalogue.platforms)}
        self.action = {name: i for i, name in enumerate(actions)}
        self._marks: dict[int, Marks] = {}
        self.pointers: dict[str, str] = {}
        self._source_topics: set[str] = {log_topic}

    def know_sources(self, topics: Sequence[str]) -> None:
        """Topics whose marks are to be restored with a partition."""
        self._source_topics.update(topics)

    def understands(self, event: Event) -> bool:
        """Whether the bundle knows the event's platform and action."""
        return event.platform in self.platform and event.action in self.action

    def release(self, partitions: Sequence[int] | None = None) -> None:
        """Forget what is known of partitions that belong to somebody else now (None: all)."""
        self.slab.clear(partitions)
        self.pointers.clear()
        for partition in list(self._marks) if partitions is None else partitions:
            self._marks.pop(partition, None)

    def process(self, batches: Sequence[LogBatch], store: Reader) -> Effects:
        """Apply batches; the slab then holds what ``effects`` says to write.

        Raises:
            SlabFullError: more users at once than the slab holds.
            StateError: a stored value can't be read.
        """
        return BatchRun(self, store).run(batches)

    def marks(self, partition: int, store: Reader) -> Marks:
        """Marks of a partition, restored on first use."""
        marks = self._marks.get(partition)
        if marks is None:
            marks = self._marks[partition] = Marks(partition)
            keys = [marks.key(topic) for topic in sorted(self._source_topics)]
            marks.restore(zip(keys, store.get_many(partition, keys), strict=True))
        return marks
