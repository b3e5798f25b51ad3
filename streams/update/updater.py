"""The update: log batches in, effects out. No I/O but reads of the store that is given.

events → windows → states → vectors, for all partitions of a fetch together:

1. bring the users into memory (``loading``), tell repeats from news (``source_marks``);
2. hand each record to the rule of its kind (``records``), events mostly as columns
   (``plain_path``);
3. put events into their users' windows, going back where one came late, and advance the states
   in waves (``streams.inference``);
4. migrate the changed states (``streams.publish``), and say what must be written where
   (``changelog``).

Records that change who a user is (links) are applied between the events around them, so the
order of the log is the order of what happens.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.effects.effects import Effects, LogBatch
from streams.update import dispatcher
from streams.update.context import Reader, Scanner, UpdateContext, is_key
from streams.update.renewal import CHUNK_SCAN, next_users, renewal_key
from streams.windows.stored_value import bundle_of


class Updater(UpdateContext):
    """Applies log batches to the users of the assigned partitions."""

    def process(self, batches: Sequence[LogBatch], store: Reader) -> Effects:
        """Apply batches; the slab then holds what ``effects`` says to write.

        Raises:
            SlabFullError: more users at once than the slab holds.
            StateError: a stored value is of another version, or marks are damaged.
        """
        return dispatcher.process(self, store, batches)

    def renew(self, partitions: Sequence[int], store: Scanner, limit: int) -> Effects | None:
        """Bring the next users over to the bundle in force; None where all are.

        Args:
            partitions: partitions of the log that are ours.
            store: the state table.
            limit: users at the most.

        Raises:
            SlabFullError: ``limit`` is more than the slab has room for.
            StateError: a stored value is of another version, or marks are damaged.
        """
        for partition in partitions:
            renewal = self.renewal(partition, store)
            if renewal.complete:
                continue
            values = store.scan(partition, renewal.after)
            found = next_users(values, renewal, self.slab.bundle, limit, CHUNK_SCAN)
            effects = dispatcher.bring_over(
                self, store, partition, found.keys, everyone=renewal.everyone
            )
            renewal.after = found.last
            if found.end:
                renewal.complete = True
                effects.changelog[partition].append((renewal_key(partition), renewal.value()))
            return effects
        return None

    def stale(self, batches: Sequence[LogBatch], store: Reader) -> dict[int, list[str]]:
        """Users of batches whose states another bundle made, by partition of the log.

        Nothing is looked up where a partition has come over to the bundle in force. Whoever
        brings many of them over before the batch (:meth:`bring_over`) keeps the batch short,
        which would bring all of them over itself.

        Raises:
            StateError: what is stored about a partition's bundle is damaged.
        """
        found: dict[int, list[str]] = {}
        for batch in batches:
            if not self.renewal(batch.partition, store).complete:
                found.setdefault(batch.partition, []).extend(self._stale_of(batch, store))
        return {partition: list(dict.fromkeys(keys)) for partition, keys in found.items() if keys}

    def _stale_of(self, batch: LogBatch, store: Reader) -> list[str]:
        texts = dict.fromkeys(key.decode(errors="replace") for key in batch.keys if key)
        rows = {key: self.slab.find(key) for key in texts if is_key(key)}
        absent = [key for key, row in rows.items() if row is None]
        stored = dict(zip(absent, store.get_many(batch.partition, absent), strict=True))
        tags = self.slab.rows["bundle"]
        made_by = {
            key: bundle_of(stored[key] or b"") if row is None else int(tags[row])
            for key, row in rows.items()
        }
        return [key for key, tag in made_by.items() if tag not in (None, self.slab.bundle)]

    def bring_over(self, partition: int, keys: Sequence[str], store: Reader) -> Effects:
        """Bring some users of a partition over to the bundle in force, and publish them.

        Raises:
            SlabFullError: they are more than the slab has room for.
            StateError: a stored value is of another version, or marks are damaged.
        """
        return dispatcher.bring_over(self, store, partition, keys, everyone=False)
