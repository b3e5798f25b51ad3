"""Several models' graphs timed in turn, as ONNX Runtime runs them on one CPU thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from export.speed import feeds
from models.contract import Contract
from models.evaluation.served import state_type
from models.evaluation.session import open_session
from models.evaluation.step_speed import cpu_s

Float64 = npt.NDArray[np.float64]

# Rows and calls of a turn: some milliseconds each.
_BLOCKS: Final = ((1, 100), (64, 20))


def alternating(
    contract: Contract, models: Mapping[str, tuple[bytes, bytes]], rounds: int = 40
) -> dict[str, Calls]:
    """Time several models' graphs in turn, so that what else the machine does meets all alike.

    The order is another in each round: what ran before leaves the caches as it likes.

    Args:
        contract: of all of them.
        models: name -> step graph and migrate graph.
        rounds: how often each has its turn.

    Returns:
        Name -> CPU seconds of a call in each round.
    """
    sessions = {name: tuple(map(open_session, graphs)) for name, graphs in models.items()}
    taken: dict[str, list[list[float]]] = {name: [] for name in models}
    blocks = [(feeds(contract, rows), calls) for rows, calls in _BLOCKS]
    rng, names = np.random.default_rng(0), list(models)
    for _ in range(rounds):
        for at in rng.permutation(len(names)):
            taken[names[at]].append(_turn(blocks, *sessions[names[at]]))
    return {name: Calls(*np.array(turns).T) for name, turns in taken.items()}


class Calls(NamedTuple):
    """CPU seconds of a call of one model, float64 [rounds] each."""

    step_1: Float64
    migrate_1: Float64
    step_64: Float64
    migrate_64: Float64

    def figures(self) -> dict[str, float]:
        """Medians in the units of ``measure``."""
        step_1, migrate_1, step_64, migrate_64 = (float(np.median(column)) for column in self)
        return {
            "step_us_batch_1": round(1e6 * step_1, 1),
            "migrate_us_batch_1": round(1e6 * migrate_1, 1),
            "step_rows_per_s_batch_64": round(64 / step_64),
            "both_rows_per_s_batch_64": round(64 / (step_64 + migrate_64)),
        }

    def times_as_fast(self, other: Calls) -> dict[str, float]:
        """How many times as fast as another model's calls of the same rounds; medians."""
        both, theirs = self.step_64 + self.migrate_64, other.step_64 + other.migrate_64
        pairs = {
            "step_batch_1": (other.step_1, self.step_1),
            "migrate_batch_1": (other.migrate_1, self.migrate_1),
            "step_batch_64": (other.step_64, self.step_64),
            "both_batch_64": (theirs, both),
        }
        return {name: round(float(np.median(a / b)), 3) for name, (a, b) in pairs.items()}


def _turn(
    blocks: Sequence[tuple[Mapping[str, Any], int]],
    steps: ort.InferenceSession,
    migrations: ort.InferenceSession,
) -> list[float]:
    """CPU seconds of a call: step and migrate with one row, step and migrate with 64."""
    stored = state_type(steps)
    taken = []
    for inputs, calls in blocks:
        state = {"state": inputs["state"].astype(stored)}
        taken += [cpu_s(steps, {**inputs, **state}, calls), cpu_s(migrations, state, calls)]
    return taken
