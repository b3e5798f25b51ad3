"""Vectors that float16 can't say: they aren't published, and are dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.effects.effects import Refused, VectorBatch
from streams.log.keys import stable_hash

BAD_VECTOR: Final = "bad_vector"
"""Why a dead letter: a vector isn't finite in float16, and isn't published."""
FLOAT16_MAX: Final = float(np.finfo(np.float16).max)


def only_finite(
    vectors: VectorBatch | None, platforms: Sequence[str], refused: list[Refused]
) -> VectorBatch | None:
    """Those that float16 can say; the others' ids keep the vectors that they have.

    Args:
        vectors: what a batch would publish.
        platforms: contract platform names.
        refused: takes a dead letter for each of the others.
    """
    if vectors is None:
        return None
    # A NaN is at most nothing.
    good: NDArray[np.bool_] = np.all(np.abs(vectors.vectors) <= FLOAT16_MAX, axis=1)
    if good.all():
        return vectors
    for i in np.flatnonzero(~good).tolist():
        target = platforms[vectors.targets[i]]
        refused.append(_refuse(int(vectors.partitions[i]), target, vectors.ids[i]))
    return vectors.only(good) if good.any() else None


def _refuse(partition: int, target: str, identity: str) -> Refused:
    """The dead letter; its offset is below 0, and of its id alone."""
    offset = -1 - (stable_hash(f"{target}/{identity}") >> 2)
    return Refused(
        partition, offset, identity.encode(), None, BAD_VECTOR, f"vector for {target}",
        "it isn't finite in float16, so the id keeps the vector that it has",
        "export the bundle again from a model that passes its evaluation",
    )  # fmt: skip
