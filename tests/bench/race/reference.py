"""What every contestant must arrive at: each user's events in sequence, in plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.graph import F32, WIDTH, Model
from tests.bench.race.traffic import Traffic

TOLERANCE: Final = 0.008
"""Largest difference of a number of a state: float16 rounds at 0.001 and rounding adds up."""
WINDOW: Final = 64


@dataclass(frozen=True)
class Reference:
    """The end of some traffic.

    Attributes:
        counts: events of each user, int64 [users].
        states: state of each user, float16 [users, S]; zeros where there was no event.
        windows: rows of the items of each user's last ``WINDOW`` events, oldest first.
    """

    counts: NDArray[np.int64]
    states: NDArray[np.float16]
    windows: list[NDArray[np.int64]]


def make_reference(model: Model, traffic: Traffic) -> Reference:
    """Apply the events one after the other, rank by rank for all users at once."""
    order = np.argsort(traffic.user, kind="stable")
    counts = np.bincount(traffic.user, minlength=traffic.users)
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(traffic)) - starts[traffic.user[order]]
    dt = _seconds(traffic, order, rank)
    states = np.zeros((traffic.users, WIDTH), np.float16)
    waves = np.argsort(rank, kind="stable")
    begin = 0
    for size in np.bincount(rank).tolist():
        wave = waves[begin : begin + size]
        events = order[wave]
        users = traffic.user[events]
        states[users] = _step(
            model, states[users], traffic.item[events], traffic.action[events], dt[wave]
        )
        begin += size
    of_user = np.split(traffic.item[order], np.cumsum(counts)[:-1])
    return Reference(counts, states, [items[-WINDOW:] for items in of_user])


def _seconds(
    traffic: Traffic, order: NDArray[np.int64], rank: NDArray[np.int64]
) -> NDArray[np.float32]:
    time_ms = traffic.time_ms[order]
    gaps = np.diff(time_ms, prepend=time_ms[:1])
    seconds: NDArray[np.float32] = np.where(rank > 0, gaps / 1000.0, 0.0).astype(np.float32)
    return seconds


def _step(
    model: Model,
    state: NDArray[np.float16],
    item: NDArray[np.int64],
    action: NDArray[np.int64],
    dt: NDArray[np.float32],
) -> NDArray[np.float16]:
    w = model.weights
    h = state.astype(np.float32)
    x = w["table"][item] + w["actions"][action] + w["platforms"][0]
    x = x + np.log1p(dt)[:, None] * w["time"]
    x_r, x_z, x_n = np.split(x @ w["w_x"] + w["bias"], 3, axis=1)
    h_r, h_z, h_n = np.split(h @ w["w_h"], 3, axis=1)
    z = _sigmoid(x_z + h_z)
    n = np.tanh(x_n + _sigmoid(x_r + h_r) * h_n)
    after: NDArray[np.float16] = (n + z * (h - n)).astype(np.float16)
    return after


def _sigmoid(x: F32) -> F32:
    result: F32 = np.float32(1.0) / (np.float32(1.0) + np.exp(-x))
    return result
