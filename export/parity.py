"""Hold the graphs against torch, at several batch sizes and over a long chain of steps."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnxruntime as ort
import torch

from export.graph import example_inputs
from export.session import open_session
from models.errors import ExportError
from models.network import Network

BATCHES: Final = (1, 2, 7, 64)
CHAIN: Final = 1_000
# The same graph in float32 differs by about 1e-6; rounding the state to float16 can turn that
# into one unit in the last place (2**-10 of a number), which the chain's decay forgets again.
STATE_TOLERANCE: Final = 2**-8
INTEREST_TOLERANCE: Final = 2**-6


def check_parity(network: Network, step: bytes, migrate: bytes) -> dict[str, float]:
    """Largest differences between ONNX Runtime and torch.

    Returns:
        ``parity_step`` and ``parity_migrate`` (one call, any of ``BATCHES``), and
        ``parity_chain_state`` and ``parity_chain_interests`` (after each of 1,000 steps).

    Raises:
        ExportError: a difference is beyond its tolerance, or a row's result depends on the
            batch that it was in.
    """
    steps, migrations = open_session(step), open_session(migrate)
    found = _single_calls(network, steps, migrations) | _chain(network, steps, migrations)
    for name, worst in found.items():
        state = name in ("parity_step", "parity_chain_state")
        limit = STATE_TOLERANCE if state else INTEREST_TOLERANCE
        if not worst <= limit:
            raise ExportError(f"{name}: ONNX and torch differ by {worst:.3g}, allowed {limit:.3g}")
    check_batches(network, steps, migrations)
    return {name: float(f"{worst:.3g}") for name, worst in found.items()}


@torch.no_grad()
def _single_calls(
    network: Network, steps: ort.InferenceSession, migrations: ort.InferenceSession
) -> dict[str, float]:
    step, migrate = 0.0, 0.0
    for rows in BATCHES:
        inputs = example_inputs(network.contract, rows, seed=rows)
        got = steps.run(None, _numpy(inputs))[0]
        step = max(step, _worst(got, network.step(**inputs)))
        got = migrations.run(None, {"state": inputs["state"].numpy()})[0]
        migrate = max(migrate, _worst(got, network.migrate(inputs["state"])))
    return {"parity_step": step, "parity_migrate": migrate}


@torch.no_grad()
def _chain(
    network: Network, steps: ort.InferenceSession, migrations: ort.InferenceSession
) -> dict[str, float]:
    """Each side goes on from its own states."""
    ours = torch.zeros(2, network.contract.state_size, dtype=torch.float16)
    theirs: Any = ours.numpy()
    state, interests = 0.0, 0.0
    for number in range(CHAIN):
        inputs = example_inputs(network.contract, 2, seed=number)
        ours = network.step(**(inputs | {"state": ours}))
        theirs = steps.run(None, _numpy(inputs) | {"state": theirs})[0]
        state = max(state, _worst(theirs, ours))
        got = migrations.run(None, {"state": theirs})[0]
        interests = max(interests, _worst(got, network.migrate(ours)))
    return {"parity_chain_state": state, "parity_chain_interests": interests}


def check_batches(
    network: Network, steps: ort.InferenceSession, migrations: ort.InferenceSession
) -> None:
    """A row gives the same bits alone and in a batch of any size.

    Raises:
        ExportError: it doesn't.
    """
    for rows in (*BATCHES, 8, 33):
        inputs = _numpy(example_inputs(network.contract, rows, seed=rows))
        state = {"state": inputs["state"]}
        for session, feeds in ((steps, inputs), (migrations, state)):
            together = np.asarray(session.run(None, feeds)[0])
            for row in range(rows):
                one = {name: value[row : row + 1] for name, value in feeds.items()}
                alone = np.asarray(session.run(None, one)[0])
                if not np.array_equal(alone[0], together[row]):
                    raise ExportError(
                        f"row {row} of a batch of {rows} differs from it alone; widths that are "
                        "multiples of 16 keep every CPU lane full"
                    )


def _numpy(inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {name: value.numpy() for name, value in inputs.items()}


def _worst(got: Any, wanted: torch.Tensor) -> float:
    """Largest difference, relative to the largest number wanted where that is above one."""
    scale = max(1.0, float(wanted.abs().max()))
    return float(np.abs(got.astype(np.float64) - wanted.double().numpy()).max()) / scale
