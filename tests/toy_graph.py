"""Hand-written graphs of a bundle: what the toy models of tests and benchmark share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Constants = Mapping[str, npt.NDArray[Any]]
_KINDS: Final = {
    "item": TensorProto.FLOAT,
    "dt": TensorProto.FLOAT,
    "platform": TensorProto.INT64,
    "action": TensorProto.INT64,
    "row": TensorProto.INT64,
}


def event_inputs(item_dim: int, *names: str) -> list[onnx.ValueInfoProto]:
    """The inputs of a step graph that tell of an event: ``item`` has ``item_dim`` numbers."""
    return [
        helper.make_tensor_value_info(
            name, _KINDS[name], ["B", item_dim] if name == "item" else ["B"]
        )
        for name in names
    ]


def step_model(
    nodes: Sequence[onnx.NodeProto],
    state: int,
    events: Sequence[onnx.ValueInfoProto],
    constants: Constants,
) -> bytes:
    """A step graph with ``state`` numbers in its states, from ``state`` to ``next_state``."""
    before, after = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT16, ["B", state])
        for name in ("state", "next_state")
    )
    return model("step", nodes, [before, *events], after, constants)


def migrate_model(
    nodes: Sequence[onnx.NodeProto], state: int, shape: tuple[int, int], constants: Constants
) -> bytes:
    """A migrate graph: its ``nodes`` take ``h`` [B, state] to ``interests`` [B, *shape]."""
    nodes = [helper.make_node("Cast", ["state"], ["h"], to=TensorProto.FLOAT), *nodes]
    before = helper.make_tensor_value_info("state", TensorProto.FLOAT16, ["B", state])
    after = helper.make_tensor_value_info("interests", TensorProto.FLOAT, ["B", *shape])
    return model("migrate", nodes, [before], after, constants)


def state_for_every_platform(platforms: int, state: int) -> bytes:
    """A migrate graph that gives the state itself, for each platform."""
    constants = {"axis": np.array([1]), "each": np.array([1, platforms, 1])}
    nodes = [
        helper.make_node("Unsqueeze", ["h", "axis"], ["h1"]),
        helper.make_node("Tile", ["h1", "each"], ["interests"]),
    ]
    return migrate_model(nodes, state, (platforms, state), constants)


def model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    output: onnx.ValueInfoProto,
    constants: Constants,
) -> bytes:
    """A checked, serialised graph."""
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, inputs, [output], initializers)
    made = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())
