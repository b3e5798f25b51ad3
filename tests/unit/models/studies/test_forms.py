"""Forms of a model beside what ships: float32 and int8."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export.bundle import PlatformItems
from export.graph import example_inputs, migrate_graph, step_graph
from export.parity import lone_row
from models.evaluation.served import state_type
from models.evaluation.session import open_session
from models.recurrence.network import Network
from models.studies.forms import int8_columns, static_int8, tables
from tests.unit.export.test_graph import make_network_of

Graphs = tuple[bytes, bytes]


@pytest.fixture(scope="module")
def network() -> Network:
    return make_network_of(0, dim=32, hidden=32, text_dim=16, title_dim=16)


@pytest.fixture(scope="module")
def graphs(network: Network) -> Graphs:
    return step_graph(network), migrate_graph(network)


@pytest.fixture(scope="module")
def static(network: Network, graphs: Graphs) -> Graphs:
    sample = feeds(network, 256)
    return static_int8(graphs[0], sample), static_int8(graphs[1], {"state": sample["state"]})


def feeds(network: Network, rows: int) -> dict[str, Any]:
    return {k: v.numpy() for k, v in example_inputs(network.contract, rows, seed=9).items()}


def states(network: Network, step: bytes) -> Any:
    return open_session(step).run(None, feeds(network, 64))[0].astype(np.float32)


def operators(graph: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_from_string(graph).graph.node}


def test_float32_states_differ_from_what_ships_by_rounding_alone(
    network: Network, graphs: Graphs
) -> None:
    wide = step_graph(network, torch.float32)
    assert state_type(open_session(wide)) is np.float32
    assert state_type(open_session(graphs[0])) is np.float16
    inputs = feeds(network, 64)
    exact = open_session(wide).run(None, inputs | {"state": inputs["state"].astype(np.float32)})[0]
    assert exact.dtype == np.float32
    assert np.array_equal(exact.astype(np.float16), open_session(graphs[0]).run(None, inputs)[0])
    vectors = open_session(migrate_graph(network, torch.float32)).run(None, {"state": exact})[0]
    assert vectors.dtype == np.float32


def test_static_int8_is_smaller_near_and_the_same_in_any_batch(
    network: Network, graphs: Graphs, static: Graphs
) -> None:
    for small, plain in zip(static, graphs, strict=True):
        assert len(small) < len(plain)
        assert "QuantizeLinear" in operators(small)
    assert lone_row(network.contract, *map(open_session, static)) is None
    away = np.abs(states(network, static[0]) - states(network, graphs[0]))
    assert 0 < away.mean() < 0.05


def test_items_are_rounded_to_255_steps_of_each_column() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((50, 6)) * [0, 1e-3, 0.1, 1, 10, 1e3]).astype(np.float32)
    rounded = int8_columns(vectors)
    scale = np.abs(vectors).max(axis=0) / 127
    assert (np.abs(rounded - vectors) <= 0.501 * scale).all()
    steps = rounded[:, 1:] / scale[1:]
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_tables_are_the_files_of_a_bundle_in_float32() -> None:
    one = PlatformItems(["a"], np.ones((2, 3), np.float32), np.ones((1, 4), np.float32))
    found = tables({"shop": one}, lambda vectors: 2 * vectors)
    assert set(found) == {"items/shop.in.npy", "items/shop.out.npy"}
    vectors = np.load(io.BytesIO(found["items/shop.in.npy"]))
    assert vectors.dtype == np.float32
    assert (vectors == 2).all()
