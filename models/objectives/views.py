"""Other views of a batch: some of each sequence's events, as if there were no others.

Shapes: B sequences or m pairs, T events, P platforms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.data.sequences import F32, Batch, Inputs, IntArray, gaps

Bool = npt.NDArray[np.bool_]


class Pairs(NamedTuple):
    """m people, each once without one platform's events and once with these alone.

    Attributes:
        platform: int64 [m], the platform that divides the two.
        without: float32 [m, D + K], features after the events elsewhere.
        only: float32 [m, D + K], features after the events on the platform.
        shares: float32 [m, P], the other platforms' shares of the events of ``without``.
    """

    platform: Tensor
    without: Tensor
    only: Tensor
    shares: Tensor


def keep_events(inputs: Inputs, keep: Bool) -> tuple[Inputs, IntArray]:
    """The events of ``keep`` (bool [B, T]) and no others, padded at the end.

    Returns:
        Inputs [B, T'], and the number of events of each row, int64 [B].
    """
    length = keep.sum(axis=1)  # [B]
    order = np.argsort(~keep, axis=1, kind="stable")[:, : max(1, int(length.max()))]  # [B, T']
    real = np.arange(order.shape[1]) < length[:, None]  # [B, T']
    item, platform, action = (
        np.take_along_axis(column, order, axis=1)
        for column in (inputs.item, inputs.platform, inputs.action)
    )
    passed = np.cumsum(inputs.dt.astype(np.float64), axis=1)  # [B, T]
    time_s = np.where(real, np.take_along_axis(passed, order, axis=1), np.nan)  # [B, T']
    kept = Inputs(np.where(real, item, -1), platform, action, gaps(time_s))
    return kept, length.astype(np.int64)


def presence(inputs: Inputs, platforms: int) -> F32:
    """float32 [B, P]: how many events each sequence has on each platform."""
    there = inputs.platform[..., None] == np.arange(platforms)  # [B, T, P]
    counts: F32 = (there & (inputs.item >= 0)[..., None]).sum(axis=1).astype(np.float32)
    return counts


def pairs_of(
    batch: Batch, encode: Callable[[Inputs], Tensor], rng: np.random.Generator
) -> Pairs | None:
    """Divide each sequence of several platforms by one of them, drawn at random.

    Args:
        batch: B sequences.
        encode: inputs [m, T'] -> features [m, T', D + K].
        rng: of the platforms.

    Returns:
        None if no sequence is of several platforms.
    """
    inputs = batch.inputs
    counts = presence(inputs, batch.target.shape[-1])  # [B, P]
    rows = np.flatnonzero((counts > 0).sum(axis=1) > 1)  # [m]
    if not len(rows):
        return None
    counts = counts[rows]  # [m, P]
    chosen = np.argmax(rng.random(counts.shape) * (counts > 0), axis=1)  # [m]
    mine = inputs.select(rows)  # [m, T]
    here = mine.platform == chosen[:, None]  # [m, T]
    real = mine.item >= 0  # [m, T]
    counts[np.arange(len(rows)), chosen] = 0.0
    return Pairs(
        torch.from_numpy(chosen),
        _last(encode, *keep_events(mine, real & ~here)),
        _last(encode, *keep_events(mine, real & here)),
        torch.from_numpy(counts / counts.sum(axis=1, keepdims=True)),
    )


def _last(encode: Callable[[Inputs], Tensor], inputs: Inputs, length: IntArray) -> Tensor:
    """Features after the last event of each row: [m, D + K]."""
    features = encode(inputs)  # [m, T', D + K]
    return features[torch.arange(len(length)), torch.from_numpy(length - 1)]
