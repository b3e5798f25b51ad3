"""How a record writes its numbers: float16 vectors, and shares to four decimals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SHARE_DECIMALS: Final = 4
# float16 has 11 significant bits, so 5 significant decimals name each number exactly.
VECTOR_DIGITS: Final = 5


def packed_vectors(half: NDArray[np.floating[Any]]) -> list[bytes]:
    """Float16 [n, V], C-contiguous and little-endian, as n pieces of 2 V bytes."""
    rows = half.view(f"V{half.itemsize * half.shape[1]}")
    pieces: list[bytes] = rows[:, 0].tolist()
    return pieces


def plain_vectors(half: NDArray[np.floating[Any]]) -> list[list[float]]:
    """Float16 [n, V] as lists of the decimals that give the same float16 back."""
    numbers: list[list[float]] = _decimals()[half.view("<u2")].tolist()
    return numbers


@cache
def _decimals() -> NDArray[np.float64]:
    """Shortest decimal for each of the 65,536 float16 bit patterns (NaN and inf: NaN)."""
    wide = np.arange(1 << 16, dtype="<u2").view("<f2").astype(np.float64)
    wide[~np.isfinite(wide)] = np.nan
    return np.array([float(f"{number:.{VECTOR_DIGITS}g}") for number in wide])


def share_maps(
    platforms: Sequence[str], shares: NDArray[np.floating[Any]]
) -> list[dict[str, float]]:
    """Share by platform for each row of [n, P], to 4 decimals, zeros left out.

    Raises:
        ValueError: ``shares`` hasn't one column for each platform.
    """
    some = rounded(platforms, shares)
    # Comparing a share is dearer than storing it: only rows with a zero are looked through.
    full = np.atleast_1d((some > 0).all(axis=1)).tolist()
    return [
        dict(zip(platforms, row, strict=False))
        if whole
        else {name: share for name, share in zip(platforms, row, strict=False) if share}
        for row, whole in zip(some.tolist(), full, strict=False)
    ]


def rounded(platforms: Sequence[str], shares: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Shares [n, P] to 4 decimals.

    Raises:
        ValueError: ``shares`` hasn't one column for each platform.
    """
    some = np.asarray(shares, np.float64).round(SHARE_DECIMALS)
    if some.ndim != 2 or some.shape[1] != len(platforms):
        raise ValueError(f"shares are {some.shape}, expected [n, {len(platforms)}]")
    return some
