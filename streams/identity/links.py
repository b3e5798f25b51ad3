"""Records that change who a user is: links, adopted histories, released ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streams.bundles.catalogue import Catalogue
from streams.effects.effects import Effects
from streams.identity.histories import cut_history, merge_histories
from streams.identity.pointers import Pointers
from streams.inference.state_updater import StateUpdater
from streams.log.keys import local_key, user_key
from streams.log.records import Adopt, Announce, Link, Release, Via
from streams.windows.slab import NEVER, Slab
from streams.windows.stored_tail import NOT_ERASED
from streams.windows.stored_value import encode_pointer

GUEST = "\0guest"
"""Slab key of a provisional user while its history is merged into another's."""


def merge_guest(
    slab: Slab,
    catalogue: Catalogue,
    state_updater: StateUpdater,
    row: int,
    value: bytes,
    after_ms: int = NOT_ERASED,
) -> int:
    """Make a provisional user's history part of a user's.

    Args:
        slab: users in memory.
        catalogue: items.
        stepper: advances the slab's rows.
        row: the user.
        value: the provisional user's stored value.
        after_ms: only what happened later may count (the user was erased then).

    Returns:
        How many events couldn't be placed.
    """
    guest = slab.insert(GUEST, -1, value)
    state_updater.renew(np.array([guest]))
    if after_ms != NOT_ERASED:
        state_updater.advance(cut_history(slab, catalogue, guest, after_ms), merged=True)
    steps, lost = merge_histories(slab, catalogue, row, guest)
    slab.remove(GUEST)
    state_updater.changed.discard(guest)
    state_updater.advance(steps, merged=True)
    return lost


@dataclass(slots=True)
class IdentityChanges:
    """Applies links and what they lead to, for one batch.

    Attributes:
        slab: users in memory.
        catalogue: items.
        stepper: advances merged histories.
        effects: takes what has to be sent.
        pointers: owners of local ids.
        log_topic: name of the log.
        on_gone: told of rows whose user was handed over.
        replaced: table entries that take the place of a provisional user: (partition, value).
    """

    slab: Slab
    catalogue: Catalogue
    state_updater: StateUpdater
    effects: Effects
    pointers: Pointers
    log_topic: str
    on_gone: Callable[[int], None]
    replaced: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def link(self, partition: int, offset: int, key: str, link: Link) -> None:
        """A local id's key learns whose it is, and hands its history over."""
        owner = self.pointers.owner(key)
        if owner == link.user:
            return  # nothing new, or nobody's before and after
        # Both records may go to one partition, where the same position twice would be a repeat.
        via, second = (Via(self.log_topic, partition, offset, sub) for sub in (0, 1))
        if owner is not None:
            release = Release(via, link.platform, link.local_id, link.source_ms)
            self.effects.forwards.append((user_key(owner), release))
        if link.user is None:
            self._unlink(partition, offset, key)
            return
        state = self._hand_over(key)
        adopt = Adopt(second, link.platform, link.local_id, state, link.source_ms)
        self.effects.forwards.append((user_key(link.user), adopt))
        self.pointers.set(key, link.user, self.slab.batch)
        self.replaced[key] = (partition, encode_pointer(link.user))
        self.effects.counts.identity["linked"] += 1

    def forget(self, partition: int, offset: int, key: str) -> int:
        """A local id's user is erased: it is nobody's; the row that is under its key now."""
        self._unlink(partition, offset, key)
        row = self.slab.find(key)
        assert row is not None
        return row

    def _unlink(self, partition: int, offset: int, key: str) -> None:
        self.pointers.forget(key)
        self.replaced.pop(key, None)
        # An empty state instead of a deletion: it remembers how far the log is dealt with, so
        # that events which were forwarded to the old owner aren't counted here when they are
        # read again; and the log cleaner may remove a deletion before every store has seen it.
        row = self.slab.insert(key, partition, None)
        self.slab.rows["applied"][row] = offset
        self.state_updater.changed.add(row)
        self.effects.counts.identity["unlinked"] += 1

    def _hand_over(self, key: str) -> bytes:
        """A provisional user's value; the user is gone from memory afterwards."""
        row = self.slab.find(key)
        if row is None:
            return b""
        state = self.slab.value(row) if self.slab.newest_ms[row] != NEVER else b""
        self.state_updater.changed.discard(row)
        self.on_gone(row)
        self.slab.remove(key)
        return state

    def adopt(self, row: int, record: Adopt) -> None:
        """A user gets a local id, and the history that was made under it."""
        self.take_id(row, record)
        if record.state:
            lost = merge_guest(self.slab, self.catalogue, self.state_updater, row, record.state)
            self.effects.counts.skipped["unplaceable"] += lost
            self.effects.counts.identity["merged"] += 1

    def take_id(self, row: int, record: Adopt) -> None:
        """A user gets a local id."""
        local_ids = self.slab.local_ids.setdefault(row, [])
        if (record.platform, record.local_id) not in local_ids:
            local_ids.append((record.platform, record.local_id))
        self.state_updater.changed.add(row)

    def release(self, partition: int, offset: int, row: int, record: Release) -> None:
        """A user loses a local id; what happened under it stays the user's."""
        local_ids = self.slab.local_ids.get(row, [])
        if (record.platform, record.local_id) in local_ids:
            local_ids.remove((record.platform, record.local_id))
            if not local_ids:
                del self.slab.local_ids[row]
        self.state_updater.changed.add(row)
        via = Via(self.log_topic, partition, offset)
        announce = Announce(via, record.platform, record.local_id, record.source_ms)
        key = local_key(record.platform, record.local_id)
        self.effects.forwards.append((key, announce))
