"""Records about what users allow and what must be forgotten: consent and erasure.

What is left of an erased user is a mark: an empty state that says since when. Everything of
before that time is refused whenever it is read, so that neither a late event nor a platform's
topic that is read again brings anything back. The user's local ids are told by the log (their
keys' owners hold a pointer, and may hold it in another partition), each gets a mark too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from streams.effects.effects import Effects, Erased
from streams.identity.allowed_sources import is_barred
from streams.identity.links import IdentityChanges, merge_guest
from streams.identity.views import SourceSets
from streams.inference.state_updater import StateUpdater
from streams.log.keys import USER, local_key, split_local_key, user_key
from streams.log.records import Adopt, Consent, Erase, Event, Forget, Release, Via
from streams.update.context import UpdateContext
from streams.windows.stored_tail import NOT_ERASED, Privacy

ERASED = "erased"
"""Why an event didn't count: its user was erased."""
DENIED = "denied"
"""Why an event didn't count: its user lets no target use its source."""


@dataclass(slots=True)
class PrivacyChanges:
    """Applies consent and erasure to the users of one batch.

    Attributes:
        world: what outlives the batch.
        sets: the views of users with restrictions.
        stepper: advances users' own rows.
        effects: takes what has to be sent.
        identity: takes pointers away.
        on_rebuilt: told of users whose own row is another one now.
    """

    context: UpdateContext
    sets: SourceSets
    state_updater: StateUpdater
    effects: Effects
    identity: IdentityChanges
    on_rebuilt: Callable[[int], None]

    def objection(self, row: int, event: Event) -> str:
        """Why an event of a user may not count; empty where it may."""
        privacy = self.context.slab.privacy[row]
        if is_barred(privacy, event.time_ms):
            return ERASED
        self.sets.open(row)
        return "" if privacy.kept >> self.context.platform[event.platform] & 1 else DENIED

    def consent(self, row: int, record: Consent) -> None:
        """What the user allows from now on."""
        slab = self.context.slab
        privacy = slab.privacy.get(row)
        if privacy is None and not (record.allow or record.pairs):
            return
        privacy = privacy or Privacy()
        privacy.allow, privacy.pairs = record.allow, record.pairs
        slab.privacy[row], slab.special[row] = privacy, True
        self.sets.begin(row)
        self.sets.changed.add(row)
        self.sets.refreshed.add(row)

    def erase(self, partition: int, offset: int, row: int, record: Erase) -> None:
        """Nothing of the user remains but the mark, and what the user allows."""
        slab = self.context.slab
        before = slab.privacy.get(row) or Privacy()
        if record.lifted:
            privacy = msgspec.structs.replace(before, erased_ms=NOT_ERASED, refuse=False)
        else:
            self.sets.drop(row)
            self._forget_local_ids(partition, offset, row, record)
            slab.empty(row)
            privacy = Privacy(
                before.allow,
                before.pairs,
                before.kept,
                erased_ms=max(before.erased_ms, record.at_ms),
                refuse=record.refuse,
            )
            self.on_rebuilt(row)
            self.effects.counts.identity["erased"] += 1
            self._sweep(slab.keys[row] or "")
        slab.privacy[row], slab.special[row] = privacy, True
        self.sets.begin(row)
        self.sets.changed.add(row)
        self.sets.refreshed.add(row)

    def sweep_again(self, key: str) -> None:
        """An erasure that is read again: a crash may have come before the dead letters."""
        self._sweep(key)

    def _sweep(self, key: str) -> None:
        """The dead letters must lose this id."""
        user = key.startswith(USER)
        platform, identity = ("", key[len(USER) :]) if user else split_local_key(key)
        self.effects.erased.append(Erased(platform, identity))

    def _forget_local_ids(self, partition: int, offset: int, row: int, record: Erase) -> None:
        slab = self.context.slab
        for sub, (platform, local_id) in enumerate(slab.local_ids.pop(row, ())):
            via = Via(self.context.log_topic, partition, offset, sub)
            user = (slab.keys[row] or "")[len(USER) :]
            forget = Forget(
                via, platform, local_id, user, record.at_ms, record.refuse, record.source_ms
            )
            self.effects.forwards.append((local_key(platform, local_id), forget))

    def forget(self, partition: int, offset: int, key: str, record: Forget) -> None:
        """An erased user's local id is nobody's.

        The user is told: the id may have moved away and come back while this record was on its
        way, and then both would believe something else.
        """
        via = Via(self.context.log_topic, partition, offset)
        release = Release(via, record.platform, record.local_id, record.source_ms)
        self.effects.forwards.append((user_key(record.user), release))
        row = self.identity.forget(partition, offset, key)
        privacy = Privacy(erased_ms=record.at_ms, refuse=record.refuse)
        self.context.slab.privacy[row], self.context.slab.special[row] = privacy, True
        self.sets.begin(row)

    def adopt(self, partition: int, offset: int, row: int, record: Adopt) -> None:
        """A user of whom not everything may be kept gets a local id and its history."""
        slab = self.context.slab
        privacy = slab.privacy[row]
        if is_barred(privacy, record.source_ms):
            self._give_back(partition, offset, row, record)
            return
        views = self.sets.open(row)
        self.identity.take_id(row, record)
        self.sets.refreshed.add(row)
        bit = 1 << self.context.platform[record.platform]
        if not record.state or not privacy.kept & bit:
            return
        lost = merge_guest(
            slab, self.context.catalogue, self.state_updater, row, record.state, privacy.erased_ms
        )
        for sources, view in views.items():
            if sources & bit:
                self.sets.reserve()
                merge_guest(
                    self.sets.slab, self.context.catalogue, self.sets.state_updater, view,
                    record.state, privacy.erased_ms,
                )  # fmt: skip
                self.sets.state_updater.changed.add(view)
        self.effects.counts.skipped["unplaceable"] += lost
        self.effects.counts.identity["merged"] += 1

    def _give_back(self, partition: int, offset: int, row: int, record: Adopt) -> None:
        """A link of before the erasure, or of an id that is refused, is taken back."""
        slab = self.context.slab
        privacy, user = slab.privacy[row], (slab.keys[row] or "")[len(USER) :]
        via = Via(self.context.log_topic, partition, offset)
        forget = Forget(
            via,
            record.platform,
            record.local_id,
            user,
            privacy.erased_ms,
            privacy.refuse,
            record.source_ms,
        )
        self.effects.forwards.append((local_key(record.platform, record.local_id), forget))
        self.effects.counts.skipped[ERASED] += 1
