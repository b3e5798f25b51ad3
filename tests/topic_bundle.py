"""A bundle that knows the simulator's topics: no training, yet its vectors follow people.

An item's vector is its topic, a state is a decayed sum of them, and an interest vector is the
state. What the demo shows and judges can be tested with it, whatever training comes to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bundle import BundleParts, PlatformItems, write_bundle
from models.contract import ACTIONS, Contract
from streams.demo.simulator.catalogue import Shelf, shelves
from streams.demo.simulator.topics import PLATFORMS, TOPICS

WIDTH: Final = -(-len(TOPICS) // 8) * 8
"""One number per topic, filled up: the stored state wants a multiple of 8."""
KEPT: Final = 0.95
WEIGHTS: Final = (0.3, 1.0, 1.5, 1.0, 1.0, -1.0)
"""How much each action says, in the order of ``ACTIONS``."""


def make_topic_bundle(path: Path, sign: float = 1.0) -> Path:
    """Write the bundle; with ``sign=-1`` its vectors point away from what people like."""
    contract = Contract(PLATFORMS, ACTIONS, WIDTH, WIDTH, WIDTH)
    items = {name: _items(shelf, sign) for name, shelf in shelves().items()}
    write_bundle(path, BundleParts(contract, _step(WIDTH), _migrate(WIDTH), items))
    return path


def _items(shelf: Shelf, sign: float) -> PlatformItems:
    topics = np.eye(WIDTH, dtype=np.float32)[shelf.topic]
    # Ties within a topic go by popularity.
    out = sign * topics * (1.0 + 0.1 * shelf.popularity[:, None])
    meta = [{"title": item.title, "category": item.category} for item in shelf.items]
    unknown = np.zeros((1, WIDTH), np.float32)
    ids = [item.item_id for item in shelf.items]
    return PlatformItems(ids, np.concatenate([topics, unknown]), out, meta)


def _step(width: int) -> bytes:
    constants: dict[str, npt.NDArray[Any]] = {
        "weights": np.array(WEIGHTS, np.float32)[:, None],
        "kept": np.array(KEPT, np.float32),
        "zeros": np.zeros((len(PLATFORMS), 1), np.float32),
        "zero": np.array(0.0, np.float32),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["state"], ["h"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["h", "kept"], ["faded"]),
        helper.make_node("Gather", ["weights", "action"], ["weight"]),
        helper.make_node("Mul", ["item", "weight"], ["news"]),
        # Every input of the contract has to be used.
        helper.make_node("Gather", ["zeros", "platform"], ["nothing"]),
        helper.make_node("Mul", ["dt", "zero"], ["no_time"]),
        helper.make_node("Unsqueeze", ["no_time", "axis"], ["no_time1"]),
        helper.make_node("Sum", ["faded", "news", "nothing", "no_time1"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["next_state"], to=TensorProto.FLOAT16),
    ]
    inputs = [
        helper.make_tensor_value_info("state", TensorProto.FLOAT16, ["B", width]),
        helper.make_tensor_value_info("item", TensorProto.FLOAT, ["B", width]),
        helper.make_tensor_value_info("platform", TensorProto.INT64, ["B"]),
        helper.make_tensor_value_info("action", TensorProto.INT64, ["B"]),
        helper.make_tensor_value_info("dt", TensorProto.FLOAT, ["B"]),
    ]
    output = helper.make_tensor_value_info("next_state", TensorProto.FLOAT16, ["B", width])
    return _model("step", nodes, inputs, output, constants)


def _migrate(width: int) -> bytes:
    constants: dict[str, npt.NDArray[Any]] = {
        "axis": np.array([1], np.int64),
        "each": np.array([1, len(PLATFORMS), 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["state"], ["h"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["h", "axis"], ["h1"]),
        helper.make_node("Tile", ["h1", "each"], ["interests"]),
    ]
    shape: list[str | int | None] = ["B", len(PLATFORMS), width]
    inputs = [helper.make_tensor_value_info("state", TensorProto.FLOAT16, ["B", width])]
    output = helper.make_tensor_value_info("interests", TensorProto.FLOAT, shape)
    return _model("migrate", nodes, inputs, output, constants)


def _model(
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    output: onnx.ValueInfoProto,
    constants: dict[str, npt.NDArray[Any]],
) -> bytes:
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, inputs, [output], initializers)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
