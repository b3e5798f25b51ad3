"""How fast a bundle's step is on one core."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.contract import STEP_INPUTS
from models.evaluation.served import ServedBundle
from models.evaluation.session import open_session

_BLOCKS: Final = 20
_WARM: Final = 5


def step_speed(bundle: Path, runs: int = 400) -> dict[str, float]:
    """Time the step graph alone, with ONNX Runtime on one thread.

    Returns:
        ``step_us_batch_1``: microseconds of a batch of one; ``rows_per_s_batch_64``: events a
        second at a batch of 64; both in CPU time, the median of ``_BLOCKS`` means over
        ``runs / _BLOCKS`` runs. ``state_bytes``: size of a user's state as stored.
    """
    contract = ServedBundle(bundle).contract
    session = open_session(bundle / "step.onnx")
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
        named = dict(zip(STEP_INPUTS, feed, strict=True))
        blocks = [cpu_s(session, named, max(1, runs // _BLOCKS)) for _ in range(_BLOCKS)]
        medians[size] = float(np.median(blocks))
    return {
        "step_us_batch_1": round(medians[1] * 1e6, 1),
        "rows_per_s_batch_64": round(64 / medians[64]),
        "state_bytes": 2 * contract.state_size,
    }


def cpu_s(session: Any, feed: Mapping[str, Any], runs: int) -> float:
    """CPU seconds of a run, mean of ``runs`` after some to warm up.

    The session has one thread, which is the caller's; a busy machine doesn't count.
    """
    for _ in range(_WARM):
        session.run(None, dict(feed))
    started = time.thread_time()
    for _ in range(runs):
        session.run(None, dict(feed))
    return (time.thread_time() - started) / runs
