"""Consent: which sources a target's vector may be a function of.

A user who allows everything has one row. One who doesn't has one for each distinct set of
sources that some target may use: the *views*. An event is applied to every row whose set
holds its source, and to no other; so a row is what it would be had the other sources never
sent anything, and a target's vector is made of the row of its set and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.windows.layout import ACTION_BITS
from streams.windows.stored_tail import NOT_ERASED, Privacy

ANY: Final = "*"


def allowed_sources(
    privacy: Privacy, platforms: Sequence[str], targets: Iterable[str]
) -> dict[int, int]:
    """What each target may use: target's platform index → set of sources as bits.

    Args:
        privacy: the user's wishes.
        platforms: contract platform names.
        targets: the platforms that get vectors.
    """
    named = set(privacy.pairs)
    return {
        platforms.index(target): sum(
            1 << index
            for index, source in enumerate(platforms)
            if _named(named, source, target) == privacy.allow
        )
        for target in targets
    }


def _named(pairs: set[tuple[str, str]], source: str, target: str) -> bool:
    return any((s, t) in pairs for s in (source, ANY) for t in (target, ANY))


def union(sets: Iterable[int]) -> int:
    """The sources that some target may use: those whose events are stored."""
    return reduce(or_, sets, 0)


def of_sources(entries: NDArray[Any], sources: int) -> NDArray[Any]:
    """The window entries whose platform is in a set."""
    platform = entries["kind"].astype(np.int64) >> ACTION_BITS
    kept: NDArray[Any] = entries[(sources >> platform & 1).astype(np.bool_)]
    return kept


def is_barred(privacy: Privacy, time_ms: int) -> bool:
    """Whether an event of that time may not count, because its user was erased."""
    return privacy.refuse or (privacy.erased_ms != NOT_ERASED and time_ms <= privacy.erased_ms)
