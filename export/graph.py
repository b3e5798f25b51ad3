"""Torch to ONNX: the step graph and the migrate graph, with a symbolic batch axis."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from torch import Tensor, nn

from models.contract import MIGRATE_INPUTS, MIGRATE_OUTPUTS, STEP_INPUTS, STEP_OUTPUTS, Contract
from models.errors import ExportError
from models.recurrence.network import Network

OPSET: Final = 18
# Two example rows: with one, the exporter takes the batch for a constant without a word.
_EXAMPLE_ROWS: Final = 2
# It says at each export that torchvision isn't installed, which nothing here needs.
logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)


class Step(nn.Module):
    """``step.onnx`` as a module of its own."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, state: Tensor, item: Tensor, platform: Tensor, action: Tensor, dt: Tensor
    ) -> Tensor:
        """See ``models.contract``."""
        return self.network.step(state, item, platform, action, dt)


class Migrate(nn.Module):
    """``migrate.onnx`` as a module of its own."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, state: Tensor) -> Tensor:
        """See ``models.contract``."""
        return self.network.migrate(state)


def step_graph(network: Network, state: torch.dtype = torch.float16) -> bytes:
    """The serialised step graph.

    Args:
        network: in evaluation mode.
        state: how states are stored; bundles have float16, float32 is there to compare with.

    Raises:
        ExportError: see ``_export``.
    """
    state_in, *event = example_inputs(network.contract, _EXAMPLE_ROWS).values()
    return _export(Step(network), (state_in.to(state), *event), STEP_INPUTS, STEP_OUTPUTS)


def migrate_graph(network: Network, state: torch.dtype = torch.float16) -> bytes:
    """The serialised migrate graph; arguments as of ``step_graph``.

    Raises:
        ExportError: see ``_export``.
    """
    state_in = example_inputs(network.contract, _EXAMPLE_ROWS)["state"]
    return _export(Migrate(network), (state_in.to(state),), MIGRATE_INPUTS, MIGRATE_OUTPUTS)


def example_inputs(contract: Contract, rows: int, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of the step graph, by name."""
    rng = torch.Generator().manual_seed(seed)

    def codes(limit: int) -> Tensor:
        return torch.randint(0, limit, (rows,), generator=rng)

    return {
        "state": (0.5 * torch.randn(rows, contract.state_size, generator=rng)).half(),
        "item": torch.randn(rows, contract.item_dim, generator=rng).half().float(),
        "platform": codes(len(contract.platforms)),
        "action": codes(len(contract.actions)),
        "dt": torch.rand(rows, generator=rng) ** 4 * 1e7,
    }


def _export(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> bytes:
    """Trace, export and check one graph.

    Raises:
        ExportError: the graph has an ``Einsum`` (whose results depend on the batch size), a
            fixed batch axis, or other names than the contract's.
    """
    batch = torch.export.Dim("B", min=1)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        file = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module.eval(),
            example,
            str(file),
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            opset_version=OPSET,
            external_data=False,
            optimize=True,
            verbose=False,
        )
        model = onnx.load(file)
    _check(model, inputs, outputs)
    _strip(model)
    return bytes(model.SerializeToString())


def _check(model: onnx.ModelProto, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    graph = model.graph
    named = tuple(v.name for v in graph.input), tuple(v.name for v in graph.output)
    if named != (inputs, outputs):
        raise ExportError(f"the graph has tensors {named}, the contract {(inputs, outputs)}")
    if any(node.op_type == "Einsum" for node in graph.node):
        raise ExportError("the graph has an Einsum: its results depend on the batch size")
    for value in (*graph.input, *graph.output):
        if not value.type.tensor_type.shape.dim[0].dim_param:
            raise ExportError(f"{value.name} has a fixed batch axis; export with two rows")
    onnx.checker.check_model(model)


def _strip(model: onnx.ModelProto) -> None:
    """Drop the names of this machine's source files: equal weights are equal bytes."""
    del model.metadata_props[:]
    model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    values: tuple[Any, ...] = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    for value in values:
        del value.metadata_props[:]
    for constant in model.graph.initializer:
        del constant.metadata_props[:]
    del model.graph.metadata_props[:]
