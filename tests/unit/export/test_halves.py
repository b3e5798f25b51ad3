"""The step in two halves: the same bits, whoever shares a batch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.halves import chain, split_step
from models.errors import ExportError
from models.evaluation.session import open_session
from streams.bundles.bundle import Bundle
from streams.bundles.graphs import StepHalves

DEMO = Path("streams/demo/bundle")


def stored(vectors: np.ndarray) -> np.ndarray:
    """Numbers that a bundle's float16 can say, as the step takes them."""
    return vectors.astype(np.float16).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 3, 16, 50])
def test_both_halves_give_the_bits_of_the_step(n: int) -> None:
    contract, raw = Bundle.load(DEMO).contract, (DEMO / "step.onnx").read_bytes()
    rng = np.random.default_rng(n)
    feeds: dict[str, Any] = {
        "state": (0.5 * rng.standard_normal((n, contract.state_size))).astype(np.float16),
        "item": stored(rng.standard_normal((n, contract.item_dim))),
        "platform": rng.integers(0, len(contract.platforms), n),
        "action": rng.integers(0, len(contract.actions), n),
        "dt": rng.exponential(1e5, n).astype(np.float32),
    }
    whole = open_session(raw).run(None, feeds)[0]
    halves = StepHalves(*map(open_session, split_step(raw)))
    events = [feeds[name] for name in ("item", "platform", "action", "dt")]
    entered = halves.enter(*events)
    assert halves.recur(feeds["state"], entered).tobytes() == whole.tobytes()
    for row in range(n):  # entered together, taken alone
        one = [column[row : row + 1] for column in entered]
        assert halves.recur(feeds["state"][row : row + 1], one).tobytes() == whole[row].tobytes()


@pytest.mark.parametrize(("users", "events"), [(1, 1), (1, 40), (3, 7), (17, 2)])
def test_a_chain_gives_the_bits_of_one_event_after_the_other(users: int, events: int) -> None:
    contract = Bundle.load(DEMO).contract
    enter, recur = split_step((DEMO / "step.onnx").read_bytes())
    halves = StepHalves(*map(open_session, (enter, recur, chain(recur))))
    rng, n = np.random.default_rng(users), users * events
    entered = halves.enter(
        rng.standard_normal((n, contract.item_dim)).astype(np.float32),
        rng.integers(0, len(contract.platforms), n),
        rng.integers(0, len(contract.actions), n),
        rng.exponential(1e5, n).astype(np.float32),
    )
    state = (0.5 * rng.standard_normal((users, contract.state_size))).astype(np.float16)
    states = halves.chain(state, entered)
    assert states.shape == (events, users, contract.state_size)
    for event, after in enumerate(states):
        state = halves.recur(state, [c[event * users : (event + 1) * users] for c in entered])
        assert after.tobytes() == state.tobytes()


def test_the_second_half_has_nothing_that_the_first_could_do() -> None:
    enter, recur = map(onnx.load_from_string, split_step((DEMO / "step.onnx").read_bytes()))
    whole = onnx.load_from_string((DEMO / "step.onnx").read_bytes())
    assert len(enter.graph.node) + len(recur.graph.node) == len(whole.graph.node) + 1  # a Cast
    assert {value.name for value in enter.graph.input} == {"item_half", "platform", "action", "dt"}
    needed = {"state"}
    for node in recur.graph.node:
        assert needed.intersection(node.input), node.name
        needed.update(node.output)


def test_a_tensor_of_unknown_shape_is_named() -> None:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 4])
        for name in ("state", "item", "next_state")
    ]
    nodes = [
        helper.make_node("Strange", ["item"], ["odd"], domain="somebody"),
        helper.make_node("Add", ["state", "odd"], ["next_state"]),
    ]
    graph = helper.make_graph(nodes, "step", values[:2], values[2:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("somebody", 1)]
    model = helper.make_model(graph, ir_version=9, opset_imports=opsets)
    with pytest.raises(ExportError, match="'odd'"):
        split_step(model.SerializeToString())
