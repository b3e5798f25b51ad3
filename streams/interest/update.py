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
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.interest import log
from streams.interest.catalogue import Catalogue
from streams.interest.effects import Counts, Effects, LogBatch, Refused, VectorBatch
from streams.interest.identity import Audience, Recipient
from streams.interest.log import USER, Adopt, Event, Link, Release, Via
from streams.interest.marks import Marks
from streams.interest.placement import expire, plan, write_plan
from streams.interest.rebuild import merge_histories, place_arrivals, rebuild_from_window
from streams.interest.slab import NEVER, Slab
from streams.interest.state import decode_pointer, encode_pointer
from streams.interest.steps import Groups, Steps
from streams.interest.waves import StepModel, run_waves
from streams.interest.window import maybe_repeated, out_of_order

LOW_32 = (1 << 32) - 1
GUEST = "\0guest"
"""Slab key of a provisional user while its history is merged into another's."""


class Reader(Protocol):
    """The state table, as the update reads it."""

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values of keys of a partition, None where there is none."""


class Model(StepModel, Protocol):
    """Step and migration; see ``models.contract``."""

    def migrate(self, state: NDArray[np.float16]) -> NDArray[np.float32]:
        """Interest vectors [B, P, V] of states [B, S]."""


@dataclass(slots=True)
class _Pending:
    """Events that wait for the next application, column by column."""

    row: list[int] = field(default_factory=list)
    time_ms: list[int] = field(default_factory=list)
    platform: list[int] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    item: list[int] = field(default_factory=list)
    hash40: list[int] = field(default_factory=list)
    event: list[int] = field(default_factory=list)

    def steps(self) -> Steps:
        def column(values: list[int]) -> NDArray[np.int64]:
            return np.array(values, np.int64)

        return Steps(
            row=column(self.row),
            time_ms=column(self.time_ms),
            platform=column(self.platform),
            action=column(self.action),
            item=column(self.item),
            hash40=column(self.hash40),
            event=column(self.event),
            counted=np.ones(len(self.row), np.bool_),
        )


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
        self._platform = {name: i for i, name in enumerate(catalogue.platforms)}
        self._action = {name: i for i, name in enumerate(actions)}
        self._marks: dict[int, Marks] = {}
        self._pointers: dict[str, str] = {}
        self._source_topics: set[str] = {log_topic}

    def know_sources(self, topics: Sequence[str]) -> None:
        """Topics whose marks are to be restored with a partition."""
        self._source_topics.update(topics)

    def understands(self, event: Event) -> bool:
        """Whether the bundle knows the event's platform and action."""
        return event.platform in self._platform and event.action in self._action

    def release(self, partitions: Sequence[int] | None = None) -> None:
        """Forget what is known of partitions that belong to somebody else now (None: all)."""
        self.slab.clear(partitions)
        self._pointers.clear()
        for partition in list(self._marks) if partitions is None else partitions:
            self._marks.pop(partition, None)

    def process(self, batches: Sequence[LogBatch], store: Reader) -> Effects:
        """Apply batches; the slab then holds what ``effects`` says to write.

        Raises:
            SlabFullError: more users at once than the slab holds.
            StateError: a stored value can't be read.
        """
        return _Run(self, store).process(batches)

    def marks(self, partition: int, store: Reader) -> Marks:
        """Marks of a partition, restored on first use."""
        marks = self._marks.get(partition)
        if marks is None:
            marks = self._marks[partition] = Marks(partition)
            keys = [marks.key(topic) for topic in sorted(self._source_topics)]
            marks.restore(zip(keys, store.get_many(partition, keys), strict=True))
        return marks


class _Run:
    """One call of :meth:`Updater.process`."""

    def __init__(self, updater: Updater, store: Reader) -> None:
        self.updater = updater
        self.slab = updater.slab
        self.store = store
        self.effects = Effects()
        self.pending = _Pending()
        self.pending_rows: set[int] = set()
        self.changed: set[int] = set()
        self.republish: set[int] = set()
        self.source_ms: dict[int, int] = {}
        self.offset: dict[int, int] = {}
        self.replaced: dict[str, tuple[int, bytes | None]] = {}

    @property
    def counts(self) -> Counts:
        return self.effects.counts

    def process(self, batches: Sequence[LogBatch]) -> Effects:
        self.slab.begin_batch()
        for batch in batches:
            self._load(batch)
        for batch in batches:
            self._read(batch)
        self._apply_pending()
        self._write_changelog(batches)
        self._publish()
        return self.effects

    def _load(self, batch: LogBatch) -> None:
        """Fetch the users of a batch from the store at once."""
        wanted = dict.fromkeys(key.decode(errors="replace") for key in batch.keys if key)
        known = self.updater._pointers
        present = [row for k in wanted if (row := self.slab.find(k)) is not None]
        # Touched before anything is inserted, so that nobody of this batch is evicted.
        self.slab.touch(np.array(present, np.int64))
        missing = [k for k in wanted if self.slab.find(k) is None and k not in known]
        values = self.store.get_many(batch.partition, missing)
        for key, value in zip(missing, values, strict=True):
            user = decode_pointer(value) if value else None
            if user is None:
                self._renew(self.slab.insert(key, batch.partition, value))
            else:
                known[key] = user

    def _renew(self, row: int) -> None:
        """Compute a freshly loaded state again where another bundle made it."""
        if self.slab.rows["bundle"][row] != self.slab.bundle:
            self._advance(rebuild_from_window(self.slab, self.updater.catalogue, row))

    def _read(self, batch: LogBatch) -> None:
        marks = self.updater.marks(batch.partition, self.store)
        for offset, key, value in zip(batch.offsets, batch.keys, batch.values, strict=True):
            try:
                record = log.decode(value or b"")
                name = (key or b"").decode()
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._refuse(batch, offset, key, value, str(error))
                continue
            if isinstance(record, Event) and not self.updater.understands(record):
                why = f"platform {record.platform!r} or action {record.action!r} is unknown"
                self._refuse(batch, offset, key, value, why)
                continue
            self._record(batch.partition, offset, name, record, marks.advance(record.via))

    def _refuse(
        self, batch: LogBatch, offset: int, key: bytes | None, value: bytes | None, why: str
    ) -> None:
        refused = Refused(
            batch.partition, offset, key, value, "log_record", "value", why,
            "only the service may write to the log, and its bundle must know every platform",
        )  # fmt: skip
        self.effects.refused.append(refused)

    def _record(
        self, partition: int, offset: int, key: str, record: log.LogRecord, fresh: bool
    ) -> None:
        if isinstance(record, Event):
            self._event(partition, offset, key, record, fresh)
        elif not fresh:
            self.counts.skipped["repeated"] += 1
        elif isinstance(record, Link):
            self._link(partition, offset, key, record)
        else:
            self._change_ids(partition, offset, key, record)

    def _change_ids(self, partition: int, offset: int, key: str, record: Adopt | Release) -> None:
        row = self._row(key, partition)
        if row in self.pending_rows:
            self._apply_pending()
        if offset <= int(self.slab.rows["applied"][row]):
            self.republish.add(row)
            return
        if isinstance(record, Adopt):
            self._adopt(row, record)
        else:
            self._release(row, record)
        self._note(row, offset, record.source_ms)

    def _row(self, key: str, partition: int) -> int:
        """Row of a key that is no pointer."""
        row = self.slab.find(key)
        return self.slab.insert(key, partition, None) if row is None else row

    def _event(self, partition: int, offset: int, key: str, event: Event, fresh: bool) -> None:
        user = self.updater._pointers.get(key)
        if user is not None:
            via = Via(self.updater.log_topic, partition, offset)
            self.effects.forwards.append(
                (log.user_key(user), msgspec.structs.replace(event, via=via))
            )
            self.counts.identity["forwarded"] += 1
            return
        row = self._row(key, partition)
        if offset <= self.slab.rows["applied"][row]:
            # The crash may have come between the changelog and the vectors.
            self.republish.add(row)
            self.counts.skipped["replayed"] += 1
        elif not fresh:
            self.counts.skipped["repeated"] += 1
        else:
            self._append(row, event)
            self._note(row, offset, event.source_ms)

    def _append(self, row: int, event: Event) -> None:
        updater, pending = self.updater, self.pending
        platform = updater._platform[event.platform]
        items = updater.catalogue.items[platform]
        item = items.get(event.item)
        if item is None:
            item = items.unknown(event.item)
            self.counts.unknown_items[platform] += 1
        pending.row.append(row)
        pending.time_ms.append(event.time_ms)
        pending.platform.append(platform)
        pending.action.append(updater._action[event.action])
        pending.item.append(item.row)
        pending.hash40.append(item.hash40)
        pending.event.append(event.event_hash & LOW_32 or 1)
        self.pending_rows.add(row)

    def _note(self, row: int, offset: int, source_ms: int) -> None:
        """The row has seen the log up to ``offset``."""
        self.offset[row] = offset
        if source_ms > self.source_ms.get(row, 0):
            self.source_ms[row] = source_ms

    def _apply_pending(self) -> None:
        if not self.pending.row:
            return
        steps = self.pending.steps()
        self.pending = _Pending()
        self.pending_rows.clear()
        self._advance(self._in_time_order(steps))

    def _in_time_order(self, steps: Steps) -> Steps:
        """Accepted steps sorted by user and event time.

        Nearly all users have events in order and no repeats; the others are looked at one by
        one, and go back where an event came late.
        """
        steps = steps.take(np.argsort(steps.row, kind="stable"))
        groups = Groups.of(steps.row)
        special = out_of_order(self.slab, steps, groups) | maybe_repeated(self.slab, steps)
        if not special.any():
            return steps
        users = np.unique(groups.of_step[special])
        parts = [steps.take(~np.isin(groups.of_step, users))]
        for user in users.tolist():
            start, size = int(groups.start[user]), int(groups.size[user])
            arrivals = steps.take(np.arange(start, start + size))
            placed, admission = place_arrivals(
                self.slab, self.updater.catalogue, arrivals, self.updater.horizon_ms
            )
            parts.append(placed)
            self.counts.skipped["late"] += admission.late
            self.counts.skipped["duplicate"] += admission.duplicate
        return Steps.concat(parts)

    def _advance(self, steps: Steps) -> None:
        """Take steps that are sorted by user, each user's in time order."""
        if not len(steps):
            return
        slab = self.slab
        groups = Groups.of(steps.row)
        layout = plan(slab, steps, groups, self.updater.horizon_ms)
        times = run_waves(slab, self.updater.model, self.updater.catalogue, steps, groups, layout)
        self.effects.waves.sizes += times.sizes
        self.effects.waves.seconds += times.seconds
        users = steps.row[groups.start]
        write_plan(slab, steps, groups, layout)
        expire(slab, users, self.updater.horizon_ms)
        self.changed.update(users.tolist())
        counted = steps.take(steps.counted)
        width = len(self.updater._action)
        kinds = np.bincount(counted.platform * width + counted.action)
        for kind in np.flatnonzero(kinds).tolist():
            self.counts.applied[divmod(kind, width)] += int(kinds[kind])

    def _link(self, partition: int, offset: int, key: str, link: Link) -> None:
        """A local id's key learns whose it is, and hands its history over."""
        row = self.slab.find(key)
        if row is not None and row in self.pending_rows:
            self._apply_pending()
        pointers = self.updater._pointers
        owner = pointers.get(key)
        if owner == link.user:
            return
        via = Via(self.updater.log_topic, partition, offset)
        if owner is not None:
            moved = link.user is not None
            release = Release(via, link.platform, link.local_id, moved, link.source_ms)
            self.effects.forwards.append((log.user_key(owner), release))
        if link.user is None:
            self._unlink(partition, key, link)
            return
        state = self._hand_over(key, row)
        adopt = Adopt(via, link.platform, link.local_id, state, link.source_ms)
        self.effects.forwards.append((log.user_key(link.user), adopt))
        self.effects.forwards_first = True
        pointers[key] = link.user
        self.replaced[key] = (partition, encode_pointer(link.user))
        self.counts.identity["linked"] += 1

    def _unlink(self, partition: int, key: str, link: Link) -> None:
        if self.updater._pointers.pop(key, None) is None:
            return
        self.effects.forwards_first = True
        self.replaced[key] = (partition, None)
        self.counts.identity["unlinked"] += 1

    def _hand_over(self, key: str, row: int | None) -> bytes:
        """A provisional user's value; the user is gone from memory afterwards."""
        if row is None:
            return b""
        state = self.slab.value(row) if self.slab.newest_ms[row] != NEVER else b""
        self.changed.discard(row)
        self.republish.discard(row)
        self.offset.pop(row, None)
        self.slab.remove(key)
        return state

    def _adopt(self, row: int, record: Adopt) -> None:
        """A user gets a local id, and the history that was made under it."""
        local_ids = self.slab.local_ids.setdefault(row, [])
        if (record.platform, record.local_id) not in local_ids:
            local_ids.append((record.platform, record.local_id))
        self.changed.add(row)
        if not record.state:
            return
        guest = self.slab.insert(GUEST, -1, record.state)
        self._renew(guest)
        steps, lost = merge_histories(self.slab, self.updater.catalogue, row, guest)
        self.slab.remove(GUEST)
        self.changed.discard(guest)
        self._advance(steps)
        self.counts.skipped["unplaceable"] += lost
        self.counts.identity["merged"] += 1

    def _release(self, row: int, record: Release) -> None:
        """A user loses a local id; what happened under it stays the user's."""
        local_ids = self.slab.local_ids.get(row, [])
        if (record.platform, record.local_id) in local_ids:
            local_ids.remove((record.platform, record.local_id))
            if not local_ids:
                del self.slab.local_ids[row]
        if not record.moved and record.platform in self.updater.audience.targets:
            target = self.updater._platform[record.platform]
            self.effects.tombstones.append((target, record.local_id))
        self.changed.add(row)

    def _write_changelog(self, batches: Sequence[LogBatch]) -> None:
        slab, changelog = self.slab, self.effects.changelog
        for batch in batches:
            changelog.setdefault(batch.partition, [])
        for row, offset in self.offset.items():
            if row in self.changed:
                slab.rows["applied"][row] = offset
        for row in sorted(self.changed):
            key = slab.keys[row]
            assert key is not None
            changelog[int(slab.partitions[row])].append((key, slab.value(row)))
        for key, (partition, value) in self.replaced.items():
            if slab.find(key) is None:  # else somebody new came under the key since
                changelog[partition].append((key, value))
        for partition, entries in changelog.items():
            entries.extend(self.updater.marks(partition, self.store).take_changes())
        self.counts.users = len(self.changed)

    def _publish(self) -> None:
        rows: list[int] = []
        recipients: list[Recipient] = []
        slab, audience = self.slab, self.updater.audience
        for row in sorted(self.changed | self.republish):
            key = slab.keys[row]
            assert key is not None
            if slab.newest_ms[row] == NEVER:
                continue
            found = audience.of(key, slab.local_ids.get(row, ()))
            recipients += found
            rows += [row] * len(found)
        if rows:
            self.effects.vectors = make_vectors(
                slab, self.updater.model, np.array(rows), recipients, self.source_ms
            )


def make_vectors(
    slab: Slab,
    model: Model,
    rows: NDArray[np.int64],
    recipients: Sequence[Recipient],
    source_ms: dict[int, int],
) -> VectorBatch:
    """Vectors of users for their recipients; ``rows`` [n] is sorted, one row per recipient."""
    users, of_user = np.unique(rows, return_inverse=True)
    interests = model.migrate(slab.rows["current"][users])
    targets = np.array([r.target for r in recipients])
    counts = slab.rows["counts"][users].astype(np.int64)
    events = counts.sum(axis=1)
    shares = (counts / np.maximum(events, 1)[:, None]).astype(np.float32)
    keys = [slab.keys[row] or "" for row in rows.tolist()]
    return VectorBatch(
        targets=targets.tolist(),
        ids=[r.id for r in recipients],
        users=[
            key[len(USER) :] if key.startswith(USER) else r.id
            for key, r in zip(keys, recipients, strict=True)
        ],
        vectors=interests[of_user, targets],
        as_of_ms=slab.newest_ms[rows],
        events=events[of_user],
        shares=shares[of_user],
        source_ms=np.array([source_ms.get(row, 0) for row in rows.tolist()], np.int64),
    )
