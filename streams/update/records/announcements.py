"""An announcement: whoever has an id now publishes its vector again, over a former owner's."""

from __future__ import annotations

import msgspec

from streams.log.keys import user_key
from streams.log.records import Announce
from streams.update.batch import Arrival, Batch


def apply(batch: Batch, arrival: Arrival, record: Announce) -> None:
    """Publish; also a repeated one: its sender may have published again before it."""
    user = batch.context.pointers.owner(arrival.key)
    if user is None:
        batch.republish.add(batch.row_of(arrival))
        return
    sent = msgspec.structs.replace(record, via=batch.via(arrival))
    batch.effects.forwards.append((user_key(user), sent))
