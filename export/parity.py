"""Hold the graphs against torch, at several batch sizes and over a long chain of steps.

Beside them what else a platform brings: its entry adapters, one for each action, its head, and
its labels, each looked at alone, so that one that was added later can't hide among the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnxruntime as ort
import torch

from export.graph import example_inputs
from models.contract import Contract
from models.errors import ExportError
from models.evaluation.session import open_session
from models.labels import Labels, from_parts, to_parts
from models.recurrence.network import Network

BATCHES: Final = (1, 2, 7, 64)
CHAIN: Final = 1_000
# The same graph in float32 differs by about 1e-6; rounding the state to float16 can turn that
# into one unit in the last place (2**-10 of a number), which the chain's decay forgets again.
STATE_TOLERANCE: Final = 2**-8
INTEREST_TOLERANCE: Final = 2**-6
# Of a label's share: vectors are published as float16, and so are the labels' weights.
LABEL_TOLERANCE: Final = 0.01
_STATES: Final = ("parity_step", "parity_chain_state", "parity_adapters")
_LABELLED: Final = 64


def check_parity(
    network: Network, step: bytes, migrate: bytes, labels: Mapping[str, Labels] | None = None
) -> dict[str, float]:
    """Largest differences between ONNX Runtime and torch.

    Returns:
        ``parity_step`` and ``parity_migrate`` (one call, any of ``BATCHES``),
        ``parity_chain_state`` and ``parity_chain_interests`` (after each of 1,000 steps),
        ``parity_adapters`` and ``parity_heads`` (the worst platform), and with labels
        ``parity_labels`` (the worst share of the worst target).

    Raises:
        ExportError: a difference is beyond its tolerance, or a row's result depends on the
            batch that it was in.
    """
    steps, migrations = open_session(step), open_session(migrate)
    found = _single_calls(network, steps, migrations) | _chain(network, steps, migrations)
    for name, worst in found.items():
        _hold(name, worst)
    found |= _platforms(network, steps, migrations)
    if labels:
        found["parity_labels"] = _labels(network, labels, migrations)
    check_batches(network, steps, migrations)
    return {name: float(f"{worst:.3g}") for name, worst in found.items()}


def _hold(name: str, worst: float, where: str = "") -> None:
    limit = STATE_TOLERANCE if name in _STATES else INTEREST_TOLERANCE
    limit = LABEL_TOLERANCE if name == "parity_labels" else limit
    if not worst <= limit:
        raise ExportError(
            f"{name}{where}: ONNX and torch differ by {worst:.3g}, allowed {limit:.3g}"
        )


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


@torch.no_grad()
def _platforms(
    network: Network, steps: ort.InferenceSession, migrations: ort.InferenceSession
) -> dict[str, float]:
    """A step through every entry adapter of each platform, and what its head makes of it."""
    actions, worst = len(network.contract.actions), {"parity_adapters": 0.0, "parity_heads": 0.0}
    for index, platform in enumerate(network.platforms):
        inputs = example_inputs(network.contract, actions, seed=index)
        inputs["platform"] = torch.full((actions,), index)
        inputs["action"] = torch.arange(actions)
        wanted, got = network.step(**inputs), steps.run(None, _numpy(inputs))[0]
        vectors = migrations.run(None, {"state": got})[0]
        of_head = _worst(vectors[:, index], network.migrate(wanted)[:, index])
        found = {"parity_adapters": _worst(got, wanted), "parity_heads": of_head}
        for name, value in found.items():
            _hold(name, value, f" of {platform!r}")
            worst[name] = max(worst[name], value)
    return worst


@torch.no_grad()
def _labels(
    network: Network, labels: Mapping[str, Labels], migrations: ort.InferenceSession
) -> float:
    """Shares as the worker makes them, with numpy from what is written, against torch's."""
    state = example_inputs(network.contract, _LABELLED)["state"]
    vectors = migrations.run(None, {"state": state.numpy()})[0]
    written, exact = from_parts(*to_parts(labels)), network.migrate(state)
    worst = 0.0
    for platform, label in labels.items():
        if platform not in network.platforms:
            raise ExportError(f"there are labels of {platform!r}, which the network doesn't know")
        index = network.platforms.index(platform)
        published = vectors[:, index].astype(np.float16).astype(np.float32)
        logits = exact[:, index] @ torch.from_numpy(label.weight) + torch.from_numpy(label.bias)
        found = _worst(written[platform].shares(published), torch.softmax(logits, dim=-1))
        _hold("parity_labels", found, f" of {platform!r}")
        worst = max(worst, found)
    return worst


def check_batches(
    network: Network, steps: ort.InferenceSession, migrations: ort.InferenceSession
) -> None:
    """A row gives the same bits alone and in a batch of any size.

    Raises:
        ExportError: it doesn't.
    """
    if found := lone_row(network.contract, steps, migrations):
        raise ExportError(
            f"row {found[0]} of a batch of {found[1]} differs from it alone; widths that are "
            "multiples of 16 keep every CPU lane full"
        )


def lone_row(
    contract: Contract,
    steps: ort.InferenceSession,
    migrations: ort.InferenceSession,
    stored: type[np.floating] = np.float16,
) -> tuple[int, int] | None:
    """A row with other bits alone than in a batch, and the batch's size; None without one."""
    for rows in (*BATCHES, 8, 33):
        inputs = _numpy(example_inputs(contract, rows, seed=rows))
        state = {"state": inputs["state"].astype(stored)}
        for session, feeds in ((steps, inputs | state), (migrations, state)):
            together = np.asarray(session.run(None, feeds)[0])
            for row in range(rows):
                one = {name: value[row : row + 1] for name, value in feeds.items()}
                if not np.array_equal(np.asarray(session.run(None, one)[0])[0], together[row]):
                    return row, rows
    return None


def _numpy(inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {name: value.numpy() for name, value in inputs.items()}


def _worst(got: Any, wanted: torch.Tensor) -> float:
    """Largest difference, relative to the largest number wanted where that is above one."""
    scale = max(1.0, float(wanted.abs().max()))
    return float(np.abs(got.astype(np.float64) - wanted.double().numpy()).max()) / scale
