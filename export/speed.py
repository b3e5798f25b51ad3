"""Time the graphs as the worker runs them: ONNX Runtime, one CPU thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from export.graph import example_inputs
from models.contract import Contract
from models.evaluation.session import open_session


def measure(contract: Contract, step: bytes, migrate: bytes) -> dict[str, float]:
    """Seconds of calls, as the report names them.

    Returns:
        ``step_us_batch_1`` and ``migrate_us_batch_1``: median microseconds of a call with one
        row; ``step_rows_per_s_batch_64`` and ``both_rows_per_s_batch_64``: rows in a second
        in calls of 64; ``state_bytes``: a state as stored (float16).
    """
    steps, migrations = open_session(step), open_session(migrate)
    one, many = feeds(contract, 1), feeds(contract, 64)
    step_64 = seconds(steps, many)
    both_64 = step_64 + seconds(migrations, {"state": many["state"]})
    return {
        "step_us_batch_1": round(1e6 * seconds(steps, one), 1),
        "migrate_us_batch_1": round(1e6 * seconds(migrations, {"state": one["state"]}), 1),
        "step_rows_per_s_batch_64": round(64 / step_64),
        "both_rows_per_s_batch_64": round(64 / both_64),
        "state_bytes": 2 * contract.state_size,
    }


def feeds(contract: Contract, rows: int) -> dict[str, Any]:
    """Random inputs of the step graph as numpy arrays."""
    return {name: value.numpy() for name, value in example_inputs(contract, rows).items()}


def seconds(session: ort.InferenceSession, inputs: Mapping[str, Any], calls: int = 500) -> float:
    """Median time of a call; the first calls warm up and don't count."""
    taken = []
    for call in range(calls + 50):
        start = time.perf_counter()
        session.run(None, dict(inputs))
        if call >= 50:
            taken.append(time.perf_counter() - start)
    return float(np.median(taken))
