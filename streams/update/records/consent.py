"""Consent: which sources a target's vector of a user may be made of, from here on."""

from __future__ import annotations

from streams.log.records import Consent
from streams.update.batch import Arrival, Batch
from streams.windows.stored_tail import Privacy


def apply(batch: Batch, arrival: Arrival, record: Consent) -> None:
    """What a user allows; that of a linked local id is its user's."""
    user = batch.context.pointers.owner(arrival.key)
    if user is not None:
        batch.forward(arrival, user, record)
        return
    row = batch.ready_row(arrival)
    if row is not None:
        set_consent(batch, row, allow=record.allow, pairs=record.pairs)
        batch.progress.add(row, arrival.offset, 0)


def set_consent(batch: Batch, row: int, *, allow: bool, pairs: tuple[tuple[str, str], ...]) -> None:
    """Keep of a user what the wishes allow: ``allow`` all but ``pairs``, or nothing but them."""
    privacy = batch.slab.privacy.get(row)
    if privacy is None and not (allow or pairs):
        return
    privacy = privacy or Privacy()
    privacy.allow, privacy.pairs = allow, pairs
    batch.views.restrict(row, privacy)
    batch.views.changed.add(row)
    batch.views.refreshed.add(row)
