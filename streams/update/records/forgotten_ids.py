"""A local id of an erased user: it is nobody's from here on, and has a mark of its own."""

from __future__ import annotations

from streams.log.keys import user_key
from streams.log.records import Forget, Release
from streams.update.batch import Arrival, Batch
from streams.update.records.erasure import sweep
from streams.update.records.links import unlink
from streams.windows.stored_tail import Privacy


def apply(batch: Batch, arrival: Arrival, record: Forget) -> None:
    """Forget a local id; also a repeated record takes the vector back.

    Its sender has gone over this part of the log again, and may have published the local
    id's vector of before the erasure once more.
    """
    sweep(batch, arrival)
    owner = batch.context.pointers.owner(arrival.key)
    if owner == record.user and arrival.fresh:
        tell_user(batch, arrival, record)
        unlink(batch, arrival)
        privacy = Privacy(erased_ms=record.at_ms, refuse=record.refuse)
        batch.views.restrict(batch.row_of(arrival), privacy)
    elif owner is None:
        batch.republish.add(batch.row_of(arrival))


def tell_user(batch: Batch, arrival: Arrival, record: Forget) -> None:
    """The user loses the id.

    It may have moved away and come back while this record was on its way, and then both would
    believe something else.
    """
    release = Release(batch.via(arrival), record.platform, record.local_id, record.source_ms)
    batch.effects.forwards.append((user_key(record.user), release))
