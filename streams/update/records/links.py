"""A link or an unlink: a local id's key learns whose it is, and hands its history over."""

from __future__ import annotations

from streams.log.keys import user_key
from streams.log.records import Adopt, Link, Release
from streams.update.batch import Arrival, Batch
from streams.windows.slab import NEVER
from streams.windows.stored_value import encode_pointer


def apply(batch: Batch, arrival: Arrival, link: Link) -> None:
    """The old owner, if any, is told to let go; the new one gets what happened so far."""
    if not arrival.fresh:
        batch.counts.skipped["repeated"] += 1
        return
    key, pointers, forwards = arrival.key, batch.context.pointers, batch.effects.forwards
    row = batch.slab.find(key)
    batch.apply_pending_of(row)
    if row is not None and batch.is_applied(row, arrival):
        # A crash came between the state that is here now, behind a later unlink, and the
        # marks: what the link led to is out, and what came after the unlink stays here.
        batch.republish.add(row)
        return
    owner = pointers.owner(key)
    if owner == link.user:
        return  # nothing new, or nobody's before and after
    # Both records may go to one partition, where the same position twice would be a repeat.
    via, second = batch.via(arrival), batch.via(arrival, 1)
    if owner is not None:
        release = Release(via, link.platform, link.local_id, link.source_ms)
        forwards.append((user_key(owner), release))
    if link.user is None:
        unlink(batch, arrival)
        return
    state = _hand_over(batch, row)
    adopt = Adopt(second, link.platform, link.local_id, state, link.source_ms)
    forwards.append((user_key(link.user), adopt))
    pointers.set(key, link.user, batch.slab.batch)
    batch.handed_over[key] = (arrival.partition, encode_pointer(link.user))
    batch.counts.identity["linked"] += 1


def unlink(batch: Batch, arrival: Arrival) -> None:
    """A local id is nobody's from here on; its key has an empty row again."""
    batch.context.pointers.forget(arrival.key)
    batch.handed_over.pop(arrival.key, None)
    # An empty state instead of a deletion: it remembers how far the log is dealt with, so
    # that events which were forwarded to the old owner aren't counted here when they are
    # read again; and the log cleaner may remove a deletion before every store has seen it.
    row = batch.slab.insert(arrival.key, arrival.partition, None)
    batch.slab.rows["applied"][row] = arrival.offset
    batch.state_updater.changed.add(row)
    batch.counts.identity["unlinked"] += 1


def _hand_over(batch: Batch, row: int | None) -> bytes:
    """A provisional user's value; the user is gone from memory afterwards."""
    if row is None:
        return b""
    state = batch.slab.value(row) if batch.slab.newest_ms[row] != NEVER else b""
    batch.remove(row)
    return state
