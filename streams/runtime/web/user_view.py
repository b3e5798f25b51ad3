"""A user, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.effects.effects import CallTimes
from streams.identity.allowed_sources import allowed_sources
from streams.identity.directory import Recipient
from streams.publish.vectors import Addressees, make_vectors
from streams.update.updater import Updater
from streams.windows.layout import ACTION_BITS, entry_items, entry_times, ring_entries
from streams.windows.slab import NEVER, Slab
from streams.windows.stored_tail import NOT_ERASED, Privacy

MS = 1000.0


def describe_user(
    updater: Updater, row: int, actions: Sequence[str], now_ms: int
) -> dict[str, Any]:
    """Window, state and vectors of a user in memory.

    Args:
        updater: the update that has the user.
        row: the user's slab row.
        actions: the contract's actions.
        now_ms: the wall clock, for the state's age.
    """
    slab = updater.slab
    newest = int(slab.newest_ms[row])
    known = newest != NEVER
    # A state of another bundle says nothing to this one's graphs.
    stale = int(slab.rows["bundle"][row]) != slab.bundle
    counts = slab.rows["counts"][row].tolist()
    platforms = updater.catalogue.platforms
    return {
        "events": sum(counts),
        "events_by_platform": dict(zip(platforms, counts, strict=True)),
        "as_of_ms": newest if known else None,
        "state_age_s": (now_ms - newest) / MS if known else None,
        "stored_bytes": len(slab.value(row)),
        "local_ids": [
            {"platform": platform, "local_id": local_id}
            for platform, local_id in slab.local_ids.get(row, ())
        ],
        "window": _window(updater, row, actions) if known else [],
        "rebuild_pending": stale,
        "privacy": _privacy(slab.privacy.get(row)),
        "vectors": _vectors(updater, row) if known and not stale else [],
    }


def _window(updater: Updater, row: int, actions: Sequence[str]) -> list[dict[str, Any]]:
    """Events inside the horizon, oldest first."""
    slab = updater.slab
    newest = int(slab.newest_ms[row])
    entries = ring_entries(slab.layout, slab.rows[row])
    times = entry_times(entries, newest).tolist()
    window = []
    for time_ms, hash40, kind in zip(
        times, entry_items(entries).tolist(), entries["kind"].tolist(), strict=True
    ):
        if time_ms < newest - updater.horizon_ms:
            continue
        platform = kind >> ACTION_BITS
        window.append(
            {
                "time_ms": time_ms,
                "platform": updater.catalogue.platforms[platform],
                "action": actions[kind & ((1 << ACTION_BITS) - 1)],
                "item_id": updater.catalogue.items[platform].name_of_hash(hash40),
            }
        )
    return window


def _privacy(privacy: Privacy | None) -> dict[str, Any] | None:
    """What the user has asked for; None: nothing."""
    if privacy is None:
        return None
    pairs = [{"source": source, "target": target} for source, target in privacy.pairs]
    return {
        "allowed" if privacy.allow else "denied": pairs,
        "erased_ms": None if privacy.erased_ms == NOT_ERASED else privacy.erased_ms,
        "refused": privacy.refuse,
    }


def _vectors(updater: Updater, row: int) -> list[dict[str, Any]]:
    slab = updater.slab
    key = slab.keys[row]
    assert key is not None
    recipients = updater.directory.of(key, slab.local_ids.get(row, ()))
    if row not in slab.privacy:
        return _shown(updater, slab, [(row, recipient) for recipient in recipients])
    own, views, of_views = _backing(updater, row, recipients)
    return _shown(updater, slab, own) + _shown(updater, views, of_views)


Pairs = list[tuple[int, Recipient]]
"""Rows, and who gets their vectors."""


def _backing(
    updater: Updater, row: int, recipients: Sequence[Recipient]
) -> tuple[Pairs, Slab, Pairs]:
    """Which row each target's vector is made of: the user's own, or one of the views."""
    slab, platforms = updater.slab, updater.directory.platforms
    privacy, key = slab.privacy[row], slab.keys[row] or ""
    targets = allowed_sources(privacy, platforms, updater.directory.targets)
    views = Slab(slab.layout, slab.bundle, 1 + len(privacy.views))
    rows_of = {
        sources: views.insert(f"{key}\0{sources}", int(slab.partitions[row]), value)
        for sources, value in privacy.views
        if value
    }
    for of_view in rows_of.values():
        views.keys[of_view] = key
    kept = privacy.kept & ((1 << len(platforms)) - 1)
    own = [(row, r) for r in recipients if targets[r.target] == kept != 0]
    of_views = [(rows_of[s], r) for r in recipients if (s := targets[r.target]) in rows_of]
    return own, views, of_views


def _shown(updater: Updater, slab: Slab, pairs: Pairs) -> list[dict[str, Any]]:
    to = Addressees()
    for row, recipient in pairs:
        if slab.newest_ms[row] != NEVER:
            to.add(row, [recipient])
    if not to.rows:
        return []
    unknown = np.zeros(slab.capacity, np.int64)
    vectors = make_vectors(slab, updater.model, to, unknown, CallTimes())
    platforms = updater.catalogue.platforms
    return [
        {
            "target": platforms[target],
            "id": identity,
            "vector": [round(float(x), 5) for x in vector],
            "sources": {
                platform: round(float(share), 4)
                for platform, share in zip(platforms, shares, strict=True)
                if share
            },
        }
        for target, identity, vector, shares in zip(
            vectors.targets, vectors.ids, vectors.vectors, vectors.shares, strict=True
        )
    ]
