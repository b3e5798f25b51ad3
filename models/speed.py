"""How fast a bundle's step is on one core."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from models.contract import STEP_INPUTS
from models.served import ServedBundle, open_graph


def step_speed(bundle: Path, runs: int = 400) -> dict[str, float]:
    """Time the step graph alone, with ONNX Runtime on one thread.

    Returns:
        ``step_us_batch_1``: microseconds of a batch of one; ``rows_per_s_batch_64``: events a
        second at a batch of 64; both from the median of ``runs`` runs. ``state_bytes``: size
        of a user's state as stored.
    """
    contract = ServedBundle(bundle).contract
    session = open_graph(bundle / "step.onnx")
    rng = np.random.default_rng(0)
    medians = {}
    for size in (1, 64):
        feed = (
            rng.standard_normal((size, contract.state_size)).astype(np.float16),
            rng.standard_normal((size, contract.item_dim)).astype(np.float32),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.full(size, 60, np.float32),
        )
        medians[size] = _median_s(session, dict(zip(STEP_INPUTS, feed, strict=True)), runs)
    return {
        "step_us_batch_1": round(medians[1] * 1e6, 1),
        "rows_per_s_batch_64": round(64 / medians[64]),
        "state_bytes": 2 * contract.state_size,
    }


def _median_s(session: Any, feed: dict[str, Any], runs: int) -> float:
    taken = np.empty(runs)
    for _ in range(runs // 10):
        session.run(None, feed)
    for run in range(runs):
        started = time.perf_counter()
        session.run(None, feed)
        taken[run] = time.perf_counter() - started
    return float(np.median(taken))
