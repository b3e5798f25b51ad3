"""An erasure: of a user nothing remains but a mark, an empty state that says since when.

Everything of before that time is refused whenever it is read, so that neither a late event nor
a platform's topic that is read again brings anything back. The user's local ids are told by the
log (their keys' owners hold a pointer, and may hold it in another partition), each gets a mark
too (``forgotten_ids``).
"""

from __future__ import annotations

import msgspec

from streams.effects.effects import Erased
from streams.log.keys import USER, local_key, split_local_key
from streams.log.records import Erase, Forget
from streams.update.batch import Arrival, Batch
from streams.windows.stored_tail import NOT_ERASED, Privacy


def apply(batch: Batch, arrival: Arrival, record: Erase) -> None:
    """Erase a user, or lift the refusal; of a linked local id the user is meant."""
    user = batch.context.pointers.owner(arrival.key)
    if user is not None:
        batch.forward(arrival, user, record)
        return
    row = batch.ready_row(arrival)
    if row is not None:
        _erase(batch, arrival, row, record)
        batch.progress.add(row, arrival.offset, 0)
    elif batch.is_applied(batch.row_of(arrival), arrival):
        sweep(batch, arrival)  # a crash may have come before the dead letters


def _erase(batch: Batch, arrival: Arrival, row: int, record: Erase) -> None:
    """Nothing of the user remains but the mark, and what the user allows."""
    before = batch.slab.privacy.get(row) or Privacy()
    if record.lifted:
        privacy = msgspec.structs.replace(before, erased_ms=NOT_ERASED, refuse=False)
    else:
        batch.views.drop(row)
        _tell_local_ids(batch, arrival, row, record)
        batch.slab.empty(row)
        privacy = Privacy(
            before.allow,
            before.pairs,
            before.kept,
            erased_ms=max(before.erased_ms, record.at_ms),
            refuse=record.refuse,
        )
        batch.progress.source_ms[row] = 0
        batch.counts.identity["erased"] += 1
        sweep(batch, arrival)
    batch.views.restrict(row, privacy)
    batch.views.changed.add(row)
    batch.views.refreshed.add(row)


def sweep(batch: Batch, arrival: Arrival) -> None:
    """The dead letters must lose the id whose key this is."""
    key, user = arrival.key, arrival.key.startswith(USER)
    platform, identity = ("", key[len(USER) :]) if user else split_local_key(key)
    batch.effects.erased.append(Erased(platform, identity))


def _tell_local_ids(batch: Batch, arrival: Arrival, row: int, record: Erase) -> None:
    user = arrival.key[len(USER) :]
    for sub, (platform, local_id) in enumerate(batch.slab.local_ids.pop(row, ())):
        via = batch.via(arrival, sub)
        forget = Forget(
            via, platform, local_id, user, record.at_ms, record.refuse, record.source_ms
        )
        batch.effects.forwards.append((local_key(platform, local_id), forget))
