"""The model of the benchmark: one GRU of width 128, as a bundle of ours and as a peers' graph.

Both graphs are made from the same nodes and weights. Ours gets an item's vector, as bundles
have it (the worker gathers it from the bundle's table); the peers' graph has the table inside
and gets the item's row. An interest vector is the state, so that nobody's vectors cost more
than anybody else's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from export.bundle import BundleParts, PlatformItems, write_bundle
from models.contract import ACTIONS, Contract
from tests.toy_graph import event_inputs, state_for_every_platform, step_model

WIDTH: Final = 128
"""Width of the GRU, of an item's vector and of an interest vector."""
ITEMS: Final = 20_000
PLATFORMS: Final = ("shop", "video", "news")

F32 = NDArray[np.float32]
Weights = dict[str, F32]


@dataclass(frozen=True)
class Model:
    """Weights of the GRU, and the items of one platform.

    Attributes:
        weights: by name, as in the graph.
        items: ids; position = row of the table.
    """

    weights: Weights
    items: list[str]

    @property
    def table(self) -> F32:
        """Item vectors [N + 1, D]; the last row is the unknown item's."""
        return self.weights["table"]


def make_model(items: int = ITEMS, seed: int = 7) -> Model:
    """Random weights of the size that training gives a GRU."""
    rng = np.random.default_rng(seed)

    def normal(scale: float, *shape: int) -> F32:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    # Half precision, as a bundle stores its items: both graphs see the same numbers.
    table = normal(0.5, items + 1, WIDTH).astype(np.float16).astype(np.float32)
    weights = {
        "table": table,
        "actions": normal(0.2, len(ACTIONS), WIDTH),
        "platforms": normal(0.2, len(PLATFORMS), WIDTH),
        "time": normal(0.02, 1, WIDTH),
        "w_x": normal(WIDTH**-0.5, WIDTH, 3 * WIDTH),
        "w_h": normal(WIDTH**-0.5, WIDTH, 3 * WIDTH),
        "bias": normal(0.1, 3 * WIDTH),
    }
    return Model(weights, [f"item-{row}" for row in range(items)])


def write_ours(path: Path, model: Model, platforms: int) -> Path:
    """The bundle for our worker, of the first ``platforms`` platforms with the same items."""
    names = PLATFORMS[:platforms]
    contract = Contract(names, ACTIONS, WIDTH, WIDTH, WIDTH)
    items = PlatformItems(model.items, model.table, model.table[:-1])
    events = event_inputs(WIDTH, "item", "platform", "action", "dt")
    parts = BundleParts(
        contract=contract,
        step=step_model(_gru("item", "platform"), WIDTH, events, _weights(model, "table")),
        migrate=state_for_every_platform(platforms, WIDTH),
        items=dict.fromkeys(names, items),
        training={"preset": "random weights of the benchmark"},
    )
    write_bundle(path, parts, created=datetime(2026, 1, 1, tzinfo=UTC))
    return path


def write_peers(path: Path, model: Model) -> Path:
    """``step.onnx`` with the table inside, and ``items.json``, for the peers."""
    path.mkdir(parents=True, exist_ok=True)
    nodes = [
        helper.make_node("Gather", ["table", "row"], ["item"]),
        *_gru("item", None),
    ]
    events = event_inputs(WIDTH, "row", "action", "dt")
    graph = step_model(nodes, WIDTH, events, _weights(model, "platforms"))
    (path / "step.onnx").write_bytes(graph)
    (path / "items.json").write_text(json.dumps(model.items))
    return path


def _weights(model: Model, without: str) -> dict[str, NDArray[Any]]:
    kept: dict[str, NDArray[Any]] = {k: v for k, v in model.weights.items() if k != without}
    if without == "platforms":  # the peers have one platform: its row is a constant
        kept["platform_row"] = model.weights["platforms"][0]
    return kept | {"one": np.array(1.0, np.float32), "axis": np.array([1], np.int64)}


def _gru(item: str, platform: str | None) -> list[onnx.NodeProto]:
    """next = f16(n + z (h - n)), with PyTorch's GRU gates on item, action, platform, dt."""
    node = helper.make_node
    gates = ["r", "z", "n"]
    rows = [] if platform is None else [node("Gather", ["platforms", platform], ["platform_row"])]
    return [
        *rows,
        node("Cast", ["state"], ["h"], to=TensorProto.FLOAT),
        node("Gather", ["actions", "action"], ["action_row"]),
        node("Add", ["dt", "one"], ["dt1"]),
        node("Log", ["dt1"], ["log"]),
        node("Unsqueeze", ["log", "axis"], ["log1"]),
        node("MatMul", ["log1", "time"], ["time_row"]),
        node("Sum", [item, "action_row", "platform_row", "time_row"], ["x"]),
        node("MatMul", ["x", "w_x"], ["gx0"]),
        node("Add", ["gx0", "bias"], ["gx"]),
        node("MatMul", ["h", "w_h"], ["gh"]),
        node("Split", ["gx"], [f"x_{g}" for g in gates], axis=1, num_outputs=3),
        node("Split", ["gh"], [f"h_{g}" for g in gates], axis=1, num_outputs=3),
        node("Add", ["x_r", "h_r"], ["sum_r"]),
        node("Sigmoid", ["sum_r"], ["r"]),
        node("Add", ["x_z", "h_z"], ["sum_z"]),
        node("Sigmoid", ["sum_z"], ["z"]),
        node("Mul", ["r", "h_n"], ["gated"]),
        node("Add", ["x_n", "gated"], ["sum_n"]),
        node("Tanh", ["sum_n"], ["n"]),
        node("Sub", ["h", "n"], ["difference"]),
        node("Mul", ["z", "difference"], ["kept"]),
        node("Add", ["n", "kept"], ["next"]),
        node("Cast", ["next"], ["next_state"], to=TensorProto.FLOAT16),
    ]
