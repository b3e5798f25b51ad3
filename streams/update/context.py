"""What the update knows between batches: users, items, model, marks, pointers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from streams.bundles.catalogue import Catalogue
from streams.identity.directory import IdDirectory
from streams.identity.pointers import Pointers
from streams.inference.state_updater import Observer
from streams.inference.waves import StepModel
from streams.log.keys import LOCAL, USER
from streams.publish.vectors import MigrateModel
from streams.update.name_cache import NameCache
from streams.update.platform_numbers import check_vocabulary, encode_vocabulary, vocabulary_key
from streams.update.renewal import Renewal, renewal_key
from streams.update.row_progress import RowProgress
from streams.update.source_marks import Marks
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


@dataclass(frozen=True, slots=True)
class ActiveBundle:
    """What the update computes with.

    Attributes:
        slab: users in memory, in rows of the bundle's layout.
        catalogue: items.
        model: the bundle's graphs.
        directory: who gets whose vectors.
        actions: the contract's actions.
    """

    slab: Slab
    catalogue: Catalogue
    model: Model
    directory: IdDirectory
    actions: Sequence[str]


class UpdateContext:
    """Everything that outlives a batch; see :class:`streams.update.updater.Updater`.

    Args:
        bundle: what is computed with.
        horizon_ms: length of the window in event time.
        log_topic: name of the log, for the source positions of forwarded records.

    Attributes:
        platform_index: of the contract, by name.
        action_index: of the contract, by name.
        pointers: owners of local ids.
        slab, catalogue, model, directory: the bundle's.
        name_cache: what the names in event records stand for.
        row_progress: what a batch has seen of each row; the next one begins anew.
        columns_from: records from which on a batch's plain ones go as columns (``plain_path``);
            in smaller batches every record goes one by one, with the same effects.
        observer: looks on while events are applied.
    """

    def __init__(self, bundle: ActiveBundle, *, horizon_ms: int, log_topic: str) -> None:
        self._use(bundle)
        self.columns_from = FEW
        self.observer: Observer | None = None
        self.horizon_ms = horizon_ms
        self.log_topic = log_topic
        self._marks: dict[int, Marks] = {}
        self._renewals: dict[int, Renewal] = {}
        self._new_vocabulary: set[int] = set()
        self.pointers = Pointers(limit=bundle.slab.capacity)
        self._source_topics: set[str] = {log_topic}

    def _use(self, bundle: ActiveBundle) -> None:
        """Everything that belongs to a bundle; what is derived from it is derived here."""
        self.slab = bundle.slab
        self.catalogue = bundle.catalogue
        self.model = bundle.model
        self.directory = bundle.directory
        self.platform_index = {name: i for i, name in enumerate(bundle.catalogue.platforms)}
        self.action_index = {name: i for i, name in enumerate(bundle.actions)}
        self.name_cache = NameCache(bundle.catalogue, self.platform_index, self.action_index)
        self.row_progress = RowProgress(bundle.slab.capacity)

    def swap(self, bundle: ActiveBundle) -> None:
        """Another bundle from here on; nothing may be on its way.

        Users are read from the store again: a state there says which bundle made it, and is
        computed again from the window where that was another.
        """
        self.release()
        self._use(bundle)

    def know_sources(self, topics: Sequence[str]) -> None:
        """Topics whose marks are to be restored with a partition."""
        self._source_topics.update(topics)

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
            vocabulary = encode_vocabulary(self.catalogue.platforms)
            changes.insert(0, (vocabulary_key(partition), vocabulary))
        return changes
