"""A straight line through measurements, and how sure its slope is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

BLOCK_S: Final = 60.0
"""Measurements within a block hang together; their means hardly do."""


@dataclass(frozen=True)
class Trend:
    """A fitted slope.

    Attributes:
        slope: per second.
        error: standard error of the slope.
        blocks: means that the line was fitted to.
    """

    slope: float
    error: float
    blocks: int


def fit(seconds: Sequence[float], values: Sequence[float]) -> Trend:
    """Least squares through the means of blocks of a minute.

    Raises:
        ValueError: less than three blocks.
    """
    at, means = _block_means(np.asarray(seconds, float), np.asarray(values, float))
    if len(at) < 3:
        raise ValueError(f"{len(at)} minutes of measurements; a slope's error needs three")
    centred = at - at.mean()
    spread = float(centred @ centred)
    slope = float(centred @ means) / spread
    rest = means - means.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / (len(at) - 2) / spread))
    return Trend(slope, error, len(at))


def _block_means(at: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    blocks = ((at - at[0]) // BLOCK_S).astype(int)
    numbers = np.unique(blocks)
    times = np.array([at[blocks == n].mean() for n in numbers])
    return times, np.array([values[blocks == n].mean() for n in numbers])
