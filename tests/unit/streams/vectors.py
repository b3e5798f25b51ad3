"""Vectors to encode, with as little said about them as a test needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.effects.effects import VectorBatch


def vector_batch(
    ids: Sequence[str],
    vectors: Any,
    shares: Any,
    *,
    users: Sequence[str] | None = None,
    as_of_ms: Any = 1,
    events: Any = 1,
    source_ms: Any = 1,
) -> VectorBatch:
    """Vectors [n, V] of n ids, with shares [P] or [n, P]; a number stands for a column of it."""
    n = len(ids)
    as_of_ms, events, source_ms = (
        np.broadcast_to(np.asarray(column, np.int64), n) for column in (as_of_ms, events, source_ms)
    )
    shares = np.atleast_2d(shares)
    return VectorBatch(
        [0] * n,
        list(ids),
        list(ids if users is None else users),
        np.asarray(vectors, np.float32),
        as_of_ms,
        events,
        np.broadcast_to(shares, (n, shares.shape[1])),
        source_ms,
        np.zeros(n, np.int32),
    )
