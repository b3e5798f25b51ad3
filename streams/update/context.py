"""What the update knows between batches: users, items, model, marks, pointers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from streams.bundles.catalogue import Catalogue
from streams.identity.directory import IdDirectory
from streams.identity.pointers import Pointers
from streams.inference.state_updater import Observer
from streams.inference.waves import StepModel
from streams.log.keys import LOCAL, USER, local_key
from streams.log.records import Adopt, Consent, Erase, Event, Forget, Link, LogRecord, Release
from streams.publish.vectors import MigrateModel
from streams.update.name_cache import NameCache
from streams.update.platform_numbers import check_vocabulary, encode_vocabulary, vocabulary_key
from streams.update.renewal import Renewal, renewal_key
from streams.update.row_progress import RowProgress
from streams.update.source_marks import Marks
from streams.windows.late_events import BIG
from streams.windows.slab import Slab


class Reader(Protocol):
    """The state table, as the update reads it."""

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values of keys of a partition, None where there is none."""


class Scanner(Reader, Protocol):
    """The state table, as the renewal goes through it."""

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values of a partition, in the order of the keys, behind a key."""


class Model(StepModel, MigrateModel, Protocol):
    """Step and migration; see ``models.contract``."""


FEW: Final = 32
"""Below so many records numpy's calls cost more than they save."""


def is_key(key: str) -> bool:
    """Whether records can be applied under a key."""
    return key.startswith((USER, LOCAL))


class UpdateContext:
    """Everything that outlives a batch; see :class:`streams.update.updater.Updater`.

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
        pointers: owners of local ids.
        names: what the names in event records stand for.
        notes: what a batch has seen of each row; the next one begins them anew.
        columns_from: records from which on a batch's plain ones go as columns (``plain``);
            in smaller batches every record goes one by one, with the same effects.
        observer: looks on while events are applied.
    """

    def __init__(
        self,
        slab: Slab,
        catalogue: Catalogue,
        model: Model,
        directory: IdDirectory,
        actions: Sequence[str],
        *,
        horizon_ms: int,
        log_topic: str,
    ) -> None:
        self._use(slab, catalogue, model, directory, actions)
        self.columns_from = FEW
        self.observer: Observer | None = None
        self.horizon_ms = horizon_ms
        self.log_topic = log_topic
        self._marks: dict[int, Marks] = {}
        self._renewals: dict[int, Renewal] = {}
        self._new_vocabulary: set[int] = set()
        self.pointers = Pointers(limit=slab.capacity)
        self._source_topics: set[str] = {log_topic}

    def _use(
        self,
        slab: Slab,
        catalogue: Catalogue,
        model: Model,
        directory: IdDirectory,
        actions: Sequence[str],
    ) -> None:
        """Everything that belongs to a bundle; what is derived from it is derived here."""
        self.slab = slab
        self.catalogue = catalogue
        self.model = model
        self.directory = directory
        self.platform = {name: i for i, name in enumerate(catalogue.platforms)}
        self.action = {name: i for i, name in enumerate(actions)}
        self.names = NameCache(catalogue, self.platform, self.action)
        self.row_progress = RowProgress(slab.capacity)

    def swap(
        self,
        slab: Slab,
        catalogue: Catalogue,
        model: Model,
        directory: IdDirectory,
        actions: Sequence[str],
    ) -> None:
        """Another bundle from here on; nothing may be on its way.

        Users are read from the store again: a state there says which bundle made it, and is
        computed again from the window where that was another.
        """
        self.release()
        self._use(slab, catalogue, model, directory, actions)

    def know_sources(self, topics: Sequence[str]) -> None:
        """Topics whose marks are to be restored with a partition."""
        self._source_topics.update(topics)

    def problem(self, key: str, record: LogRecord) -> str:
        """Why a record can't be applied under its key; empty where it can."""
        if not is_key(key):
            return f"the key {key!r} is neither a user's nor a local id's"
        times = {"source_ms": record.source_ms}
        if isinstance(record, Erase | Forget):
            times["at_ms"] = record.at_ms
        if wrong := [f"{field} {ms}" for field, ms in times.items() if not -BIG < ms < BIG]:
            return f"{' and '.join(wrong)} isn't a time"
        if isinstance(record, Event):
            return self._problem_of_event(record)
        if isinstance(record, Link) and key != local_key(record.platform, record.local_id):
            return f"a link travels under its local id's key, not under {key!r}"
        if isinstance(record, Forget) and key != local_key(record.platform, record.local_id):
            return f"a local id is forgotten under its key, not under {key!r}"
        if isinstance(record, Adopt | Release) and not key.startswith(USER):
            return f"a user gets and loses local ids, not {key!r}"
        if isinstance(record, Adopt) and record.platform not in self.platform:
            return f"platform {record.platform!r} is unknown"
        if isinstance(record, Consent) and not key.startswith(USER):
            return f"consent is a user's, not {key!r}'s"
        return ""

    def _problem_of_event(self, event: Event) -> str:
        if event.platform not in self.platform or event.action not in self.action:
            return f"platform {event.platform!r} or action {event.action!r} is unknown"
        if not 0 <= event.time_ms < BIG:
            return f"time_ms {event.time_ms} isn't a time"
        return ""

    def release(self, partitions: Sequence[int] | None = None) -> None:
        """Forget what is known of partitions that belong to somebody else now (None: all)."""
        self.slab.clear(partitions)
        self.pointers.clear()
        for partition in list(self._marks) if partitions is None else partitions:
            self._marks.pop(partition, None)
        for partition in list(self._renewals) if partitions is None else partitions:
            self._renewals.pop(partition, None)
        self._new_vocabulary &= self._marks.keys()

    def marks(self, partition: int, store: Reader) -> Marks:
        """Marks of a partition, restored on first use.

        Raises:
            StateError: marks are damaged, or stored windows number the platforms otherwise.
        """
        marks = self._marks.get(partition)
        if marks is None:
            marks = self._marks[partition] = Marks(partition)
            keys = [marks.key(topic) for topic in sorted(self._source_topics)]
            values = store.get_many(partition, [*keys, vocabulary_key(partition)])
            marks.restore(zip(keys, values, strict=False))
            if not check_vocabulary(values[-1], self.catalogue.platforms):
                self._new_vocabulary.add(partition)
        return marks

    def renewal(self, partition: int, store: Reader) -> Renewal:
        """How far a partition has come over to this bundle, restored on first use.

        Raises:
            StateError: what is stored about it is damaged.
        """
        found = self._renewals.get(partition)
        if found is None:
            stored = store.get_many(partition, [renewal_key(partition)])[0]
            found = self._renewals[partition] = Renewal.restore(stored, self.slab.bundle)
        return found

    def declare_bundle(self, partition: int, store: Reader) -> list[tuple[str, bytes | None]]:
        """What a partition's changelog must have before a vector of this bundle goes out."""
        renewal = self.renewal(partition, store)
        if renewal.declared:
            return []
        renewal.declared = True
        return [(renewal_key(partition), renewal.value())]

    def partition_changes(self, partition: int, store: Reader) -> list[tuple[str, bytes]]:
        """Table entries about a partition as a whole, which follow those of its users."""
        changes = self.marks(partition, store).take_changes()
        if changes and partition in self._new_vocabulary:
            self._new_vocabulary.discard(partition)
            names = encode_vocabulary(self.catalogue.platforms)
            changes.insert(0, (vocabulary_key(partition), names))
        return changes
