"""One batch at work: its users' rows, the events that wait, and the effects so far."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from streams.effects.effects import Effects
from streams.identity.views import Views
from streams.inference.state_updater import PendingSteps, StateUpdater
from streams.log.keys import user_key
from streams.log.records import Consent, Erase, Event, Via
from streams.update.context import Reader, UpdateContext


class Arrival(msgspec.Struct, gc=False):
    """Where a record of the log stands.

    Attributes:
        partition: of the log.
        offset: in it.
        key: its key.
        fresh: the source marks call it new; else its writer has sent it before.
    """

    partition: int
    offset: int
    key: str
    fresh: bool


class Batch:
    """What the rules of all kinds of records work on (``streams.update.records``).

    Args:
        context: what the update knows between batches.
        store: the state table.

    Attributes:
        slab: users in memory.
        effects: everything that the batch wants done.
        state_updater: advances the users' states.
        views: rows of users who don't allow everything.
        pending: events that wait to be applied.
        progress: how far the log, and the newest source record, of each row.
        republish: rows whose vectors may not have gone out before a crash.
        handed_over: entries that take the place of local ids' histories in the table:
            (partition, value).
        moved: something else than a plain event was applied: users may have other rows than
            before.
    """

    def __init__(self, context: UpdateContext, store: Reader) -> None:
        self.context = context
        self.store = store
        self.slab = context.slab
        self.effects = Effects()
        self.counts = self.effects.counts
        self.state_updater = StateUpdater(
            context.slab,
            context.catalogue,
            context.model,
            context.horizon_ms,
            self.counts,
            self.effects.steps,
        )
        self.state_updater.observer = context.observer
        self.views = Views(self.state_updater, context.directory, self._forget_source)
        self.pending = PendingSteps()
        self.progress = context.row_progress.begin()
        self.republish: set[int] = set()
        self.handed_over: dict[str, tuple[int, bytes]] = {}
        self.moved = False
        self.slab.begin_batch()
        context.pointers.trim(self.slab.flushed_batch)

    def row_of(self, arrival: Arrival) -> int:
        """Row of a key that is no pointer."""
        row = self.slab.find(arrival.key)
        return self.slab.insert(arrival.key, arrival.partition, None) if row is None else row

    def ready_row(self, arrival: Arrival) -> int | None:
        """The row that a record is to change, as everything before it left it.

        Returns:
            None where the record is no news: it was applied before a crash that may have come
            between changelog and vectors, which go out again; or it is a repeat.
        """
        row = self.row_of(arrival)
        self.apply_pending_of(row)
        if arrival.fresh:
            self.renew([row])
        if self.is_applied(row, arrival):
            self.republish.add(row)
        elif not arrival.fresh:
            self.counts.skipped["repeated"] += 1
        else:
            return row
        return None

    def is_applied(self, row: int, arrival: Arrival) -> bool:
        """Whether a row has seen the log up to a record already."""
        return arrival.offset <= int(self.slab.rows["applied"][row])

    def via(self, arrival: Arrival, sub: int = 0) -> Via:
        """Source position of what is sent on because of a record."""
        return Via(self.context.log_topic, arrival.partition, arrival.offset, sub)

    def forward(self, arrival: Arrival, user: str, record: Event | Consent | Erase) -> None:
        """Send a record on to its user's key, from here.

        A repeat isn't: from its new position in the log it would look new. Nothing is lost by
        it, because the marks that call it a repeat are stored after the first was sent on.
        """
        if not arrival.fresh:
            self.counts.skipped["repeated"] += 1
            return
        sent = msgspec.structs.replace(record, via=self.via(arrival))
        self.effects.forwards.append((user_key(user), sent))
        self.counts.identity["forwarded"] += 1

    def apply_pending_of(self, row: int | None) -> None:
        """Before a user is changed otherwise, what came before must have been applied."""
        if self.pending.waits_for(row):
            self.apply_pending()

    def apply_pending(self) -> None:
        """Advance the states by the events that wait."""
        if self.pending:
            self.state_updater.apply(self.pending.take())
            self.views.apply()

    def renew(self, rows: Sequence[int]) -> None:
        """Compute users, with their views, again where another bundle made them."""
        self.state_updater.renew(np.array(rows, np.int64))
        for row in rows:
            if row in self.slab.privacy:
                self.views.renew(row)

    def renew_published(self) -> None:
        """Nobody is stored or published from a state of another bundle.

        Events do it before they are applied. A user of whom the batch has nothing but repeats
        stays as it is: a repeat publishes nothing when it is read again after a crash, so
        nothing may be begun by it.
        """
        if rows := self.republish | self.views.touched():
            self.renew(sorted(rows))

    def changed(self) -> set[int]:
        """Rows that have to be stored."""
        changed, of_views = self.state_updater.changed, self.views.changed
        return changed | of_views if of_views else changed

    def remove(self, row: int) -> None:
        """A row's user is gone from memory; the row may have another soon."""
        self.state_updater.changed.discard(row)
        self.republish.discard(row)
        self.progress.forget(row)
        self.views.drop(row)
        self.slab.remove(self.slab.keys[row] or "")

    def _forget_source(self, row: int) -> None:
        """A row holds another history than before: what was newest in that one says nothing."""
        self.progress.source_ms[row] = 0
