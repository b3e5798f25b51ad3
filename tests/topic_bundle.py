"""A bundle that knows the simulator's topics: no training, yet its vectors follow people.

An item's vector is its topic, a state is a decayed sum of them, and an interest vector is the
state. What the demo shows and judges can be tested with it, whatever training comes to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from export.bundle import BundleParts, PlatformItems, write_bundle
from models.contract import ACTIONS, Contract
from streams.demo.simulator.catalogue import Shelf, shelves
from streams.demo.simulator.topics import PLATFORMS, TOPICS
from tests.toy_graph import event_inputs, state_for_every_platform, step_model

WIDTH: Final = -(-len(TOPICS) // 8) * 8
"""One number per topic, filled up: the stored state wants a multiple of 8."""
KEPT: Final = 0.95
WEIGHTS: Final = (0.3, 1.0, 1.5, 1.0, 1.0, -1.0)
"""How much each action says, in the order of ``ACTIONS``."""


def make_topic_bundle(path: Path, sign: float = 1.0) -> Path:
    """Write the bundle; with ``sign=-1`` its vectors point away from what people like."""
    contract = Contract(PLATFORMS, ACTIONS, WIDTH, WIDTH, WIDTH)
    items = {name: _items(shelf, sign) for name, shelf in shelves().items()}
    write_bundle(
        path,
        BundleParts(contract, _step(WIDTH), state_for_every_platform(len(PLATFORMS), WIDTH), items),
    )
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
    events = event_inputs(width, "item", "platform", "action", "dt")
    return step_model(nodes, width, events, constants)
