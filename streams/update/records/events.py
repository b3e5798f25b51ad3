"""An event: it waits to advance its user's state, or its user's views do without it."""

from __future__ import annotations

from typing import Final

from streams.identity.allowed_sources import is_barred
from streams.log.records import Event
from streams.update.batch import Arrival, Batch
from streams.update.plain_path import Events

LOW_32: Final = (1 << 32) - 1
ERASED: Final = "erased"
"""Why an event didn't count: its user was erased."""
DENIED: Final = "denied"
"""Why an event didn't count: its user lets no target use its source."""


def apply(batch: Batch, arrival: Arrival, event: Event) -> None:
    """An event of a user, or of a local id; one of a linked local id is its user's."""
    user = batch.context.pointers.owner(arrival.key)
    if user is not None:
        batch.forward(arrival, user, event)
        return
    row, offset = batch.row_of(arrival), arrival.offset
    if offset <= batch.slab.rows["applied"][row]:
        # The crash may have come between the changelog and the vectors.
        batch.republish.add(row)
        batch.counts.skipped["replayed"] += 1
    elif not arrival.fresh:
        batch.counts.skipped["repeated"] += 1
    elif row in batch.slab.privacy:
        _apply_restricted(batch, row, offset, event)
    else:
        _append(batch, row, event)
        batch.progress.add(row, offset, event.source_ms)


def apply_columns(batch: Batch, events: Events) -> None:
    """:func:`apply` for events of users who are in memory, in the log's order."""
    row = events.steps.row
    replayed = events.offset <= batch.slab.rows["applied"][row]
    new = events.fresh & ~replayed
    if not new.all():
        batch.republish.update(row[replayed].tolist())
        skipped = {"replayed": replayed.sum(), "repeated": (~replayed & ~events.fresh).sum()}
        batch.counts.skipped.update({why: int(n) for why, n in skipped.items() if n})
        events = events.take(new)
    for platform in events.steps.platform[events.unknown].tolist():
        batch.counts.unknown_items[platform] += 1
    batch.pending.extend(events.steps)
    batch.progress.add_all(events.steps.row, events.offset, events.source_ms)


def _apply_restricted(batch: Batch, row: int, offset: int, event: Event) -> None:
    """An event of a user who doesn't allow everything, or was erased."""
    if why := objection(batch, row, event):
        batch.counts.skipped[why] += 1
        batch.progress.add(row, offset, 0)
        return
    batch.renew([row])
    _append(batch, row, event)
    platform = batch.context.platform_index[event.platform]
    batch.views.add(row, platform, batch.pending, event.source_ms)
    batch.progress.add(row, offset, event.source_ms)


def objection(batch: Batch, row: int, event: Event) -> str:
    """Why an event of a user may not count; empty where it may."""
    privacy = batch.slab.privacy[row]
    if is_barred(privacy, event.time_ms):
        return ERASED
    batch.views.open(row)
    return "" if privacy.kept >> batch.context.platform_index[event.platform] & 1 else DENIED


def _append(batch: Batch, row: int, event: Event) -> None:
    context = batch.context
    platform = context.platform_index[event.platform]
    items = context.catalogue.items[platform]
    item = items.get(event.item)
    if item is None:
        item = items.unknown(event.item)
        batch.counts.unknown_items[platform] += 1
    action, identity = context.action_index[event.action], event.event_hash & LOW_32 or 1
    batch.pending.append(row, event.time_ms, platform, action, item.row, item.hash40, identity)
