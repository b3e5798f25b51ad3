"""One batch from log records to effects; see ``update`` for the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from streams.effects.effects import Counts, Effects, LogBatch, Refused
from streams.errors import DamagedError
from streams.identity.links import IdentityChanges
from streams.identity.privacy_changes import PrivacyChanges
from streams.identity.views import SourceSets
from streams.inference.state_updater import PendingSteps, StateUpdater
from streams.log import codec
from streams.log.keys import user_key
from streams.log.records import (
    Adopt,
    Announce,
    Consent,
    Erase,
    Event,
    Forget,
    Link,
    LogRecord,
    Release,
    Via,
)
from streams.publish.publication import Publication
from streams.update.context import Reader, UpdateContext, is_key
from streams.update.damage import (
    ADOPTED,
    NOTHING_ALLOWED,
    check_adopted,
    unreadable_value,
    without_history,
)
from streams.update.plain_path import NOWHERE, Events, Keyed, split
from streams.update.source_marks import Marks
from streams.windows.slab import Rows
from streams.windows.stored_value import decode_pointer

LOW_32 = (1 << 32) - 1
LOG_RECORD: Final = "log_record"
"""Why a record of the log itself is refused."""


class BatchRun:
    """One call of :meth:`streams.update.updater.Updater.process`."""

    def __init__(self, context: UpdateContext, store: Reader) -> None:
        self.context = context
        self.slab = context.slab
        self.store = store
        self.effects = Effects()
        self.state_updater = StateUpdater(
            context.slab,
            context.catalogue,
            context.model,
            context.horizon_ms,
            self.effects.counts,
            self.effects.steps,
        )
        self.state_updater.observer = context.observer
        self.identity = IdentityChanges(
            context.slab,
            context.catalogue,
            self.state_updater,
            self.effects,
            context.pointers,
            context.log_topic,
            self._forget_row,
        )
        self.sets = SourceSets(context, self.effects.steps, self._forget_source)
        self.privacy = PrivacyChanges(
            context, self.sets, self.state_updater, self.effects, self.identity, self._forget_source
        )
        self.pending = PendingSteps()
        self.republish: set[int] = set()
        self.moved = False
        """Something else than a plain event was applied: users may have other rows than before."""
        self.row_progress = context.row_progress.begin()

    @property
    def counts(self) -> Counts:
        """What happened so far."""
        return self.effects.counts

    def run(self, batches: Sequence[LogBatch]) -> Effects:
        """Apply the batches, in their order."""
        self.slab.begin_batch()
        self.context.pointers.trim(self.slab.flushed_batch)
        loaded = [self._load(batch) for batch in batches]
        for batch, (names, rows) in zip(batches, loaded, strict=True):
            self._read(batch, names, rows)
        self._apply_pending()
        self._renew_published()
        self._write_changelog(batches)
        self._publish()
        return self.effects

    def renew(self, partition: int, keys: Sequence[str], *, everyone: bool) -> Effects:
        """Bring users over to the bundle in force, without any event.

        Args:
            partition: the users' partition of the log.
            keys: their keys; one that has become a pointer is left out.
            everyone: publish the vectors also of users whose state is of this bundle already.
        """
        self.slab.begin_batch()
        self.context.pointers.trim(self.slab.flushed_batch)
        batch = LogBatch(partition, [], [key.encode() for key in keys], [])
        self._load(batch)
        rows = [row for key in keys if (row := self.slab.find(key)) is not None]
        self._renew(rows)
        if everyone:
            self.republish.update(rows)
        self._write_changelog([batch])
        self._publish()
        self.effects.renewal = True
        return self.effects

    def _renew_published(self) -> None:
        """Nobody is stored or published from a state of another bundle.

        Events do it before they are applied. A user of whom the batch has nothing but repeats
        stays as it is: a repeat publishes nothing when it is read again after a crash, so
        nothing may be begun by it.
        """
        if rows := self.republish | self.sets.touched():
            self._renew(sorted(rows))

    def _renew(self, rows: Sequence[int]) -> None:
        """Compute users, with their views, again where another bundle made them."""
        self.state_updater.renew(np.array(rows, np.int64))
        for row in rows:
            if row in self.slab.privacy:
                self.sets.renew(row)

    def _load(self, batch: LogBatch) -> tuple[list[str] | None, Rows]:
        """Fetch the users of a batch from the store at once.

        Returns:
            The keys as texts, None where one isn't, and the row of each.
        """
        names = _texts(batch.keys)
        wanted = names or [key.decode(errors="replace") for key in batch.keys if key]
        rows = self.slab.find_all(wanted, NOWHERE)
        absent = np.flatnonzero(rows == NOWHERE)
        # Touched before anything is inserted, so that nobody of this batch is evicted.
        self.slab.touch(np.delete(rows, absent) if len(absent) else rows)
        if len(absent):
            absent_names = [wanted[i] for i in absent.tolist()]
            self._fetch(batch, dict.fromkeys(absent_names))
            rows[absent] = self.slab.find_all(absent_names, NOWHERE)
        return names, rows

    def _fetch(self, batch: LogBatch, keys: Iterable[str]) -> None:
        """Give users a row who have none, from what is stored of them; pointers are noted."""
        known = self.context.pointers
        missing = [key for key in keys if key not in known and is_key(key)]
        values = self.store.get_many(batch.partition, missing)
        for place in self.slab.insert_many(missing, batch.partition, values):
            key, value = missing[place], values[place]
            try:
                user = decode_pointer(value) if value else None
                if user is None:
                    self.slab.insert(key, batch.partition, value)
                else:
                    known.set(key, user)
            except DamagedError as error:
                self._begin_anew(batch, key, value or b"", error)

    def _begin_anew(self, batch: LogBatch, key: str, value: bytes, error: DamagedError) -> None:
        """A stored value can't be read; see ``damage``."""
        row = self.slab.insert(key, batch.partition, None)
        self.privacy.consent(row, NOTHING_ALLOWED)
        self.effects.refused.append(unreadable_value(batch, key, value, error))

    def _read(self, batch: LogBatch, names: list[str] | None, rows: Rows) -> None:
        """Apply the plain events of a batch as columns, and all else one by one."""
        marks = self.context.marks(batch.partition, self.store)
        many = len(batch.values) >= self.context.columns_from
        keyed = self._keyed(batch, names, rows) if names and many else None
        found = split(keyed, self.context, marks) if keyed is not None else None
        if keyed is None or found is None:
            self._read_each(batch, marks)
            return
        self._events(found.plain)
        for place, record, fresh in found.others:
            name, offset = keyed.names[place], batch.offsets[place]
            self._record(batch.partition, offset, name, record, fresh)

    def _keyed(self, batch: LogBatch, names: list[str], rows: Rows) -> Keyed | None:
        """The batch with its keys and their rows; None where a key can't be used."""
        if self.moved:
            rows = self.slab.find_all(names, NOWHERE)
        # Whoever has a row has a key that can be used.
        if not all(is_key(names[i]) for i in np.flatnonzero(rows == NOWHERE).tolist()):
            return None
        if self.slab.privacy:
            rows[self.slab.special[rows] & (rows != NOWHERE)] = NOWHERE
        return Keyed(batch, names, rows)

    def _events(self, events: Events) -> None:
        """:meth:`_event` for events of users who are in memory, in the log's order."""
        row = events.steps.row
        replayed = events.offset <= self.slab.rows["applied"][row]
        new = events.fresh & ~replayed
        if not new.all():
            self.republish.update(row[replayed].tolist())
            skipped = {"replayed": replayed.sum(), "repeated": (~replayed & ~events.fresh).sum()}
            self.counts.skipped.update({why: int(n) for why, n in skipped.items() if n})
            events = events.take(new)
        for platform in events.steps.platform[events.unknown].tolist():
            self.counts.unknown_items[platform] += 1
        self.pending.extend(events.steps)
        self.row_progress.add_all(events.steps.row, events.offset, events.source_ms)

    def _read_each(self, batch: LogBatch, marks: Marks) -> None:
        for offset, key, value in zip(batch.offsets, batch.keys, batch.values, strict=True):
            try:
                record = codec.decode(value or b"")
                name = (key or b"").decode()
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._refuse(batch, offset, key, value, str(error))
                continue
            if why := self.context.problem(name, record):
                self._refuse(batch, offset, key, value, why)
                continue
            self._record(batch.partition, offset, name, record, marks.advance(record.via))

    def _refuse(
        self, batch: LogBatch, offset: int, key: bytes | None, value: bytes | None, why: str
    ) -> None:
        refused = Refused(
            batch.partition, offset, key, value, LOG_RECORD, "value", why,
            "only the service may write to the log, and its bundle must know every platform",
        )  # fmt: skip
        self.effects.refused.append(refused)

    def _record(
        self, partition: int, offset: int, key: str, record: LogRecord, fresh: bool
    ) -> None:
        self.moved = True
        if isinstance(record, Event):
            self._event(partition, offset, key, record, fresh)
        elif isinstance(record, Announce):
            self._announce(partition, offset, key, record)
        elif isinstance(record, Consent | Erase):
            self._about_a_user(partition, offset, key, record, fresh)
        elif isinstance(record, Forget):
            self._forget(partition, offset, key, record, fresh)
        elif not fresh:
            if isinstance(record, Adopt):
                # Its sender has gone over this part of the log again, and may have published
                # the local id's vector of before the link once more.
                self.republish.add(self._row(key, partition))
            self.counts.skipped["repeated"] += 1
        elif isinstance(record, Link):
            self._link(partition, offset, key, record)
        else:
            self._change_ids(partition, offset, key, record)

    def _link(self, partition: int, offset: int, key: str, record: Link) -> None:
        row = self.slab.find(key)
        self._apply_pending_of(row)
        if row is not None and offset <= int(self.slab.rows["applied"][row]):
            # A crash came between the state that is here now, behind a later unlink, and the
            # marks: what the link led to is out, and what came after the unlink stays here.
            self.republish.add(row)
            return
        self.identity.link(partition, offset, key, record)

    def _change_ids(self, partition: int, offset: int, key: str, record: Adopt | Release) -> None:
        row = self._row(key, partition)
        self._apply_pending_of(row)
        self._renew([row])
        if offset <= int(self.slab.rows["applied"][row]):
            self.republish.add(row)
            return
        special = row in self.slab.privacy
        if isinstance(record, Adopt) and (error := check_adopted(self.slab.layout, record)):
            self._refuse_history(partition, offset, key, record, error)
            record = without_history(record)
        if isinstance(record, Release):
            self.identity.release(partition, offset, row, record)
        elif special:
            self.privacy.adopt(partition, offset, row, record)
        else:
            self.identity.adopt(row, record)
        if special:
            self.sets.refreshed.add(row)
        self.row_progress.add(row, offset, 0 if special else record.source_ms)

    def _refuse_history(
        self, partition: int, offset: int, key: str, record: Adopt, error: DamagedError
    ) -> None:
        refused = Refused(
            partition, offset, key.encode(), codec.encode(record), ADOPTED, "state", str(error),
            "the local id is the user's now, what had happened under it is left out",
        )  # fmt: skip
        self.effects.refused.append(refused)

    def _about_a_user(
        self, partition: int, offset: int, key: str, record: Consent | Erase, fresh: bool
    ) -> None:
        """Consent, or an erasure; one of a linked local id is about its user."""
        user = self.context.pointers.owner(key)
        if user is not None:
            self._forward(partition, offset, user, record, fresh)
            return
        row = self._row(key, partition)
        self._apply_pending_of(row)
        if fresh:
            self._renew([row])
        if offset <= int(self.slab.rows["applied"][row]):
            self.republish.add(row)
            if isinstance(record, Erase):
                self.privacy.sweep_again(key)
        elif not fresh:
            self.counts.skipped["repeated"] += 1
        else:
            if isinstance(record, Consent):
                self.privacy.consent(row, record)
            else:
                self.privacy.erase(partition, offset, row, record)
            self.row_progress.add(row, offset, 0)

    def _forget(self, partition: int, offset: int, key: str, record: Forget, fresh: bool) -> None:
        """A local id of an erased user; also a repeated record takes the vector back.

        Its sender has gone over this part of the log again, and may have published the local
        id's vector of before the erasure once more.
        """
        self.privacy.sweep_again(key)
        owner = self.context.pointers.owner(key)
        if owner == record.user and fresh:
            self.privacy.forget(partition, offset, key, record)
        elif owner is None:
            self.republish.add(self._row(key, partition))

    def _announce(self, partition: int, offset: int, key: str, record: Announce) -> None:
        """Publish; also a repeated one: its sender may have published again before it."""
        user = self.context.pointers.owner(key)
        if user is None:
            self.republish.add(self._row(key, partition))
            return
        via = Via(self.context.log_topic, partition, offset)
        forward = msgspec.structs.replace(record, via=via)
        self.effects.forwards.append((user_key(user), forward))

    def _row(self, key: str, partition: int) -> int:
        """Row of a key that is no pointer."""
        row = self.slab.find(key)
        return self.slab.insert(key, partition, None) if row is None else row

    def _event(self, partition: int, offset: int, key: str, event: Event, fresh: bool) -> None:
        user = self.context.pointers.owner(key)
        if user is not None:
            self._forward(partition, offset, user, event, fresh)
            return
        row = self._row(key, partition)
        if offset <= self.slab.rows["applied"][row]:
            # The crash may have come between the changelog and the vectors.
            self.republish.add(row)
            self.counts.skipped["replayed"] += 1
        elif not fresh:
            self.counts.skipped["repeated"] += 1
        elif row in self.slab.privacy:
            self._special_event(row, offset, event)
        else:
            self._append(row, event)
            self.row_progress.add(row, offset, event.source_ms)

    def _special_event(self, row: int, offset: int, event: Event) -> None:
        """An event of a user who doesn't allow everything, or was erased."""
        if why := self.privacy.objection(row, event):
            self.counts.skipped[why] += 1
            self.row_progress.add(row, offset, 0)
            return
        self._renew([row])
        self._append(row, event)
        self.sets.add(row, self.context.platform[event.platform], self.pending, event.source_ms)
        self.row_progress.add(row, offset, event.source_ms)

    def _forward(
        self, partition: int, offset: int, user: str, event: Event | Consent | Erase, fresh: bool
    ) -> None:
        """Send a record on to its user's key, from here.

        A repeat isn't: from its new place in the log it would look new. Nothing is lost by
        it, because the marks that call it a repeat are stored after the first was sent on.
        """
        if not fresh:
            self.counts.skipped["repeated"] += 1
            return
        via = Via(self.context.log_topic, partition, offset)
        self.effects.forwards.append((user_key(user), msgspec.structs.replace(event, via=via)))
        self.counts.identity["forwarded"] += 1

    def _append(self, row: int, event: Event) -> None:
        context = self.context
        platform = context.platform[event.platform]
        items = context.catalogue.items[platform]
        item = items.get(event.item)
        if item is None:
            item = items.unknown(event.item)
            self.counts.unknown_items[platform] += 1
        action, identity = context.action[event.action], event.event_hash & LOW_32 or 1
        self.pending.append(row, event.time_ms, platform, action, item.row, item.hash40, identity)

    def _apply_pending_of(self, row: int | None) -> None:
        """Before a user is changed otherwise, what came before must have been applied."""
        if self.pending.waits_for(row):
            self._apply_pending()

    def _apply_pending(self) -> None:
        if self.pending:
            self.state_updater.apply(self.pending.take())
            self.sets.apply()

    def _forget_row(self, row: int) -> None:
        """A row's user is gone; the row may have another soon."""
        self.republish.discard(row)
        self.row_progress.forget(row)
        self.sets.drop(row)

    def _forget_source(self, row: int) -> None:
        """A row holds another history than before: what was newest in that one says nothing."""
        self.row_progress.source_ms[row] = 0

    def _changed(self) -> set[int]:
        """Rows that have to be stored."""
        return (
            self.state_updater.changed | self.sets.changed
            if self.sets.changed
            else self.state_updater.changed
        )

    def _write_changelog(self, batches: Sequence[LogBatch]) -> None:
        slab, changelog = self.slab, self.effects.changelog
        for batch in batches:
            changelog.setdefault(batch.partition, [])
            if declared := self.context.declare_bundle(batch.partition, self.store):
                self.effects.declared[batch.partition] = declared
        self.sets.close()
        changed = self._changed()
        rows = np.array(sorted(changed), np.int64)
        noted = rows[self.row_progress.end[rows] > 0]
        slab.rows["applied"][noted] = self.row_progress.end[noted] - 1
        places = zip(rows.tolist(), slab.partitions[rows].tolist(), slab.values(rows), strict=True)
        for row, partition, value in places:
            key = slab.keys[row]
            assert key is not None
            changelog[partition].append((key, value))
        for key, (partition, value) in self.identity.replaced.items():
            if slab.find(key) not in changed:  # else somebody new came since
                changelog[partition].append((key, value))
        for partition, entries in changelog.items():
            entries.extend(self.context.partition_changes(partition, self.store))
        self.counts.users = len(changed)

    def _publish(self) -> None:
        publication = Publication(self.context, self.sets, self.state_updater.changed, self.effects)
        publication.add_all(sorted(self._changed() | self.republish), again=self.republish)
        publication.finish(self.row_progress.source_ms)


def _texts(keys: Sequence[bytes | None]) -> list[str] | None:
    """Keys as texts; None where one isn't."""
    try:
        return list(map(bytes.decode, keys))  # type: ignore[arg-type]
    except (TypeError, UnicodeDecodeError):
        return None
