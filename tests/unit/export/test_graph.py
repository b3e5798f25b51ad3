import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export.graph import OPSET, example_inputs, migrate_graph, step_graph
from export.parity import BATCHES, CHAIN, STATE_TOLERANCE, check_batches, check_parity
from export.speed import measure
from models.config import preset
from models.errors import ExportError
from models.evaluation.session import open_session
from models.items.encoders import HashedEncoder
from models.recurrence.network import Network
from models.training.prepare import make_network, titles_of
from tests.people import people_table


def make_network_of(seed: int, **changes: object) -> Network:
    sizes = {"dim": 16, "hidden": 8, "text_dim": 6, "title_dim": 4} | changes
    table, config = people_table(users=8), preset("small", **sizes).model
    encoder = HashedEncoder.fit(titles_of(table.items), config.text_dim, config.tokens)
    network = make_network(config, table, encoder, dropout=0.3, seed=seed).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.fixture(scope="module")
def network() -> Network:
    return make_network_of(0)


@pytest.fixture(scope="module")
def graphs(network: Network) -> tuple[bytes, bytes]:
    return step_graph(network), migrate_graph(network)


def test_the_graphs_agree_with_torch_in_every_batch_and_over_a_thousand_steps(
    network: Network, graphs: tuple[bytes, bytes]
) -> None:
    assert BATCHES == (1, 2, 7, 64)
    assert CHAIN == 1_000
    found = check_parity(network, *graphs)
    assert set(found) == {
        "parity_step", "parity_migrate", "parity_chain_state", "parity_chain_interests",
        "parity_adapters", "parity_heads",
    }  # fmt: skip
    assert max(found.values()) < STATE_TOLERANCE


def test_a_model_without_titles_and_trend_exports_too() -> None:
    bare = make_network_of(0, title_dim=0, trend_days=())
    assert max(check_parity(bare, step_graph(bare), migrate_graph(bare)).values()) < STATE_TOLERANCE


def test_graphs_of_other_weights_are_refused(network: Network, graphs: tuple[bytes, bytes]) -> None:
    with pytest.raises(ExportError, match="parity_step: ONNX and torch differ by"):
        check_parity(make_network_of(1), *graphs)


def test_rows_that_depend_on_their_batch_are_refused(network: Network) -> None:
    class Mean:
        """Adds a batch's mean to each row."""

        def run(self, names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            state = feeds["state"]
            return [state + state.mean(axis=0)]

    with pytest.raises(ExportError, match="differs from it alone"):
        check_batches(network, Mean(), Mean())


def test_opset_names_and_symbolic_batch(graphs: tuple[bytes, bytes]) -> None:
    for content in graphs:
        model = onnx.load_from_string(content)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_param
        assert "Einsum" not in {node.op_type for node in model.graph.node}
        assert b"/models/" not in content


def test_a_fixed_batch_axis_is_refused(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(module: nn.Module, example: object, file: str, **_: object) -> None:
        del module, example
        state = onnx.helper.make_tensor_value_info("state", onnx.TensorProto.FLOAT16, [1, 3])
        out = onnx.helper.make_tensor_value_info("interests", onnx.TensorProto.FLOAT16, [1, 3])
        node = onnx.helper.make_node("Identity", ["state"], ["interests"])
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [state], [out])), file)

    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(ExportError, match="fixed batch axis"):
        migrate_graph(network)


def test_a_new_user_has_a_state_of_zeros_and_a_finite_vector(
    network: Network, graphs: tuple[bytes, bytes]
) -> None:
    state = np.zeros((1, network.contract.state_size), np.float16)
    vectors = np.asarray(open_session(graphs[1]).run(None, {"state": state})[0])
    assert vectors.shape == (1, 2, network.config.vector_dim)
    assert np.isfinite(vectors).all()


def test_speed_is_measured_in_the_units_of_the_report(
    network: Network, graphs: tuple[bytes, bytes]
) -> None:
    found = measure(network.contract, *graphs)
    assert found["state_bytes"] == 2 * network.config.state_size
    assert 1 < found["step_us_batch_1"] < 1e5
    assert found["step_rows_per_s_batch_64"] > found["both_rows_per_s_batch_64"] > 0


def test_example_inputs_are_in_range(network: Network) -> None:
    inputs = example_inputs(network.contract, 64)
    assert int(inputs["platform"].max()) == 1
    assert int(inputs["action"].max()) == 5
    assert float(inputs["dt"].min()) >= 0.0
