"""One batch from log records to effects: load its users, hand each record to its rule, publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from streams.effects.effects import Effects, LogBatch
from streams.log import codec
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
)
from streams.publish.publication import Publication
from streams.update.batch import Arrival, Batch
from streams.update.changelog import write_changelog
from streams.update.context import Reader, UpdateContext, is_key
from streams.update.loading import load_users
from streams.update.plain_path import NOWHERE, Keyed, split
from streams.update.records import (
    adoption,
    announcements,
    consent,
    erasure,
    events,
    forgotten_ids,
    links,
)
from streams.update.refused_records import problem_of, refuse
from streams.update.source_marks import Marks
from streams.windows.slab import Rows

RULES: Final[Mapping[type, Callable[[Batch, Arrival, Any], None]]] = {
    Event: events.apply,
    Link: links.apply,
    Adopt: adoption.adopt,
    Release: adoption.release,
    Consent: consent.apply,
    Erase: erasure.apply,
    Forget: forgotten_ids.apply,
    Announce: announcements.apply,
}
"""What happens at a record of each kind."""


def process(context: UpdateContext, store: Reader, log_batches: Sequence[LogBatch]) -> Effects:
    """Apply log batches, in their order; see :meth:`streams.update.updater.Updater.process`."""
    batch = Batch(context, store)
    loaded = [load_users(batch, log_batch) for log_batch in log_batches]
    for log_batch, (keys, rows) in zip(log_batches, loaded, strict=True):
        read(batch, log_batch, keys, rows)
    batch.apply_pending()
    batch.renew_published()
    write_changelog(batch, [log_batch.partition for log_batch in log_batches])
    publish(batch)
    return batch.effects


def bring_over(
    context: UpdateContext, store: Reader, partition: int, keys: Sequence[str], *, everyone: bool
) -> Effects:
    """Bring users over to the bundle in force, without any event.

    Args:
        context: what the update knows.
        store: the state table.
        partition: the users' partition of the log.
        keys: their keys; one that has become a pointer is left out.
        everyone: publish the vectors also of users whose state is of this bundle already.
    """
    batch = Batch(context, store)
    load_users(batch, LogBatch(partition, [], [key.encode() for key in keys], []))
    rows = [row for key in keys if (row := batch.slab.find(key)) is not None]
    batch.renew(rows)
    if everyone:
        batch.republish.update(rows)
    write_changelog(batch, [partition])
    publish(batch)
    batch.effects.renewal = True
    return batch.effects


def read(batch: Batch, log_batch: LogBatch, keys: list[str] | None, rows: Rows) -> None:
    """Apply the plain events of a batch as columns, and all else one by one."""
    context = batch.context
    marks = context.marks(log_batch.partition, batch.store)
    many = len(log_batch.values) >= context.columns_from
    keyed = _keyed(batch, log_batch, keys, rows) if keys and many else None
    found = split(keyed, context, marks) if keyed is not None else None
    if keyed is None or found is None:
        _read_each(batch, log_batch, marks)
        return
    plain, others = found
    events.apply_columns(batch, plain)
    for index, record, fresh in others:
        offset = log_batch.offsets[index]
        apply(batch, Arrival(log_batch.partition, offset, keyed.keys[index], fresh), record)


def _keyed(batch: Batch, log_batch: LogBatch, keys: list[str], rows: Rows) -> Keyed | None:
    """The batch with its keys and their rows; None where a key can't be used."""
    slab = batch.slab
    if batch.moved:
        rows = slab.find_all(keys, NOWHERE)
    # Whoever has a row has a key that can be used.
    if not all(is_key(keys[i]) for i in np.flatnonzero(rows == NOWHERE).tolist()):
        return None
    if slab.privacy:
        rows[slab.special[rows] & (rows != NOWHERE)] = NOWHERE
    return Keyed(log_batch, keys, rows)


def _read_each(batch: Batch, log_batch: LogBatch, marks: Marks) -> None:
    context, partition = batch.context, log_batch.partition
    records = zip(log_batch.offsets, log_batch.keys, log_batch.values, strict=True)
    for offset, raw_key, value in records:
        try:
            record = codec.decode(value or b"")
            key = (raw_key or b"").decode()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            batch.effects.refused.append(refuse(partition, offset, raw_key, value, str(error)))
            continue
        if why := problem_of(key, record, context):
            batch.effects.refused.append(refuse(partition, offset, raw_key, value, why))
            continue
        apply(batch, Arrival(partition, offset, key, marks.advance(record.via)), record)


def apply(batch: Batch, arrival: Arrival, record: LogRecord) -> None:
    """Hand a record to the rule of its kind."""
    batch.moved = True
    RULES[type(record)](batch, arrival, record)


def publish(batch: Batch) -> None:
    """Make the vectors of everybody who changed, or whose vectors may not have gone out."""
    context = batch.context
    publication = Publication(
        batch.state_updater, batch.views, context.directory, context.model, batch.effects
    )
    publication.add_all(sorted(batch.changed() | batch.republish), batch.republish)
    publication.finish(batch.progress.source_ms)
