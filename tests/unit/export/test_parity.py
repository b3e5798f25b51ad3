"""Labels, and every platform's own adapters and head, are held against torch at each export."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from export import parity
from export.graph import migrate_graph, step_graph
from export.parity import LABEL_TOLERANCE, STATE_TOLERANCE, check_parity
from models.contract import ACTIONS
from models.errors import ExportError
from models.evaluation.session import open_session
from models.labels import Labels
from models.recurrence.network import Network
from tests.unit.export.test_graph import make_network_of

Graphs = tuple[bytes, bytes]


@pytest.fixture(scope="module")
def network() -> Network:
    return make_network_of(3)


@pytest.fixture(scope="module")
def graphs(network: Network) -> Graphs:
    return step_graph(network), migrate_graph(network)


def labels_of(network: Network, offset: float = 0.0) -> Labels:
    rng = np.random.default_rng(0)
    weight = offset + 0.1 * rng.standard_normal((network.config.vector_dim, 5))
    return Labels(tuple("abcde"), weight.astype(np.float32), np.zeros(5, np.float32))


def platforms_of(network: Network, graphs: Graphs) -> dict[str, float]:
    return parity._platforms(network, *map(open_session, graphs))


def test_labels_adapters_and_heads_are_in_the_report(network: Network, graphs: Graphs) -> None:
    found = check_parity(network, *graphs, {"shop": labels_of(network)})
    assert found["parity_adapters"] < STATE_TOLERANCE
    assert found["parity_heads"] < STATE_TOLERANCE
    assert 0 < found["parity_labels"] < LABEL_TOLERANCE


@pytest.mark.parametrize("action", range(len(ACTIONS)))
def test_one_wrong_adapter_of_the_last_platform_is_found(
    network: Network, graphs: Graphs, action: int
) -> None:
    other = make_network_of(3)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        other.cell.scale[len(ACTIONS) + action] += 0.5
    with pytest.raises(ExportError, match="parity_adapters of 'shop': ONNX and torch differ"):
        platforms_of(other, graphs)
    assert platforms_of(network, graphs)["parity_adapters"] < STATE_TOLERANCE


def test_a_wrong_head_of_the_last_platform_is_found(network: Network, graphs: Graphs) -> None:
    other = make_network_of(3)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        other.heads.usual[1] += 2.0
    with pytest.raises(ExportError, match="parity_heads of 'shop': ONNX and torch differ"):
        platforms_of(other, graphs)


def test_labels_that_float16_changes_are_refused(network: Network, graphs: Graphs) -> None:
    some = {"video": labels_of(network), "shop": labels_of(network, offset=3_000.0)}
    with pytest.raises(ExportError, match="parity_labels of 'shop': ONNX and torch differ"):
        check_parity(network, *graphs, some)


def test_labels_of_a_platform_that_isnt_there_are_refused(network: Network, graphs: Graphs) -> None:
    with pytest.raises(ExportError, match="labels of 'news'"):
        check_parity(network, *graphs, {"news": labels_of(network)})
