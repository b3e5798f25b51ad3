"""A user gets a local id, with the history that was made under it, or loses one."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.effects.effects import Refused
from streams.errors import DamagedError
from streams.identity.allowed_sources import is_barred
from streams.identity.histories import merge_guest
from streams.log import codec
from streams.log.keys import USER, local_key
from streams.log.records import Adopt, Announce, Forget, Release
from streams.update.batch import Arrival, Batch
from streams.update.records.events import ERASED
from streams.windows.stored_value import decode_value

ADOPTED: Final = "adopted_history"
"""Why a dead letter: the history that came with a link can't be read."""


def adopt(batch: Batch, arrival: Arrival, record: Adopt) -> None:
    """A user gets a local id, and the history that was made under it."""
    if not arrival.fresh:
        # Its sender has gone over this part of the log again, and may have published
        # the local id's vector of before the link once more.
        batch.republish.add(batch.row_of(arrival))
        batch.counts.skipped["repeated"] += 1
        return
    row = batch.ready_row(arrival)
    if row is None:
        return
    record = _readable(batch, arrival, record)
    if row not in batch.slab.privacy:
        adopt_unrestricted(batch, row, record)
        batch.progress.add(row, arrival.offset, record.source_ms)
        return
    adopt_restricted(batch, arrival, row, record)
    batch.views.refreshed.add(row)
    batch.progress.add(row, arrival.offset, 0)


def adopt_unrestricted(batch: Batch, row: int, record: Adopt) -> None:
    """A user who allows everything gets a local id and its history."""
    _take_id(batch, row, record)
    if record.state:
        _count_merged(batch, merge_guest(batch.state_updater, row, record.state))


def adopt_restricted(batch: Batch, arrival: Arrival, row: int, record: Adopt) -> None:
    """A user of whom not everything may be kept gets a local id and its history."""
    privacy = batch.slab.privacy[row]
    if is_barred(privacy, record.source_ms):
        _give_back(batch, arrival, row, record)
        return
    views = batch.views.open(row)
    _take_id(batch, row, record)
    bit = 1 << batch.context.platform_index[record.platform]
    if not record.state or not privacy.kept & bit:
        return
    lost = merge_guest(batch.state_updater, row, record.state, privacy.erased_ms)
    for sources, view in views.items():
        if sources & bit:
            batch.views.reserve()
            merge_guest(batch.views.state_updater, view, record.state, privacy.erased_ms)
            batch.views.state_updater.changed.add(view)
    _count_merged(batch, lost)


def release(batch: Batch, arrival: Arrival, record: Release) -> None:
    """A user loses a local id; what happened under it stays the user's.

    Whoever has the id now is asked to publish its vector again, over the user's.
    """
    if not arrival.fresh:
        batch.counts.skipped["repeated"] += 1
        return
    row = batch.ready_row(arrival)
    if row is None:
        return
    local_ids = batch.slab.local_ids.get(row, [])
    if (record.platform, record.local_id) in local_ids:
        local_ids.remove((record.platform, record.local_id))
        if not local_ids:
            del batch.slab.local_ids[row]
    batch.state_updater.changed.add(row)
    announce = Announce(batch.via(arrival), record.platform, record.local_id, record.source_ms)
    batch.effects.forwards.append((local_key(record.platform, record.local_id), announce))
    restricted = row in batch.slab.privacy
    if restricted:
        batch.views.refreshed.add(row)
    batch.progress.add(row, arrival.offset, 0 if restricted else record.source_ms)


def _take_id(batch: Batch, row: int, record: Adopt) -> None:
    local_ids = batch.slab.local_ids.setdefault(row, [])
    if (record.platform, record.local_id) not in local_ids:
        local_ids.append((record.platform, record.local_id))
    batch.state_updater.changed.add(row)


def _count_merged(batch: Batch, lost: int) -> None:
    batch.counts.skipped["unplaceable"] += lost
    batch.counts.identity["merged"] += 1


def _give_back(batch: Batch, arrival: Arrival, row: int, record: Adopt) -> None:
    """A link of before the erasure, or of an id that is refused, is taken back."""
    privacy, user = batch.slab.privacy[row], (batch.slab.keys[row] or "")[len(USER) :]
    forget = Forget(
        batch.via(arrival),
        record.platform,
        record.local_id,
        user,
        privacy.erased_ms,
        privacy.refuse,
        record.source_ms,
    )
    batch.effects.forwards.append((local_key(record.platform, record.local_id), forget))
    batch.counts.skipped[ERASED] += 1


def _readable(batch: Batch, arrival: Arrival, record: Adopt) -> Adopt:
    """The record; without its history, which is a dead letter then, where that is damaged."""
    if not record.state:
        return record
    try:
        decode_value(batch.slab.layout, record.state)
    except DamagedError as error:
        batch.effects.refused.append(
            Refused(
                arrival.partition, arrival.offset, arrival.key.encode(), codec.encode(record),
                ADOPTED, "state", str(error),
                "the local id is the user's now, what had happened under it is left out",
            )
        )  # fmt: skip
        return msgspec.structs.replace(record, state=b"")
    return record
