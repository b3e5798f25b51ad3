"""ONNX Runtime behind step and migrate, on a tiny bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from streams.bundles.bundle import Bundle
from streams.bundles.catalogue import Catalogue
from streams.effects.effects import CallTimes, Counts
from streams.errors import ProviderError
from streams.inference import engine
from streams.inference.engine import CPU, CUDA, Engine, choose_providers
from streams.inference.state_updater import StateUpdater
from streams.windows.layout import Layout
from streams.windows.slab import Slab
from streams.windows.step_columns import StepColumns
from tests.bundles import make_tiny_bundle

HORIZON_MS = 3_600_000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.load(make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@pytest.fixture(scope="module")
def cpu(bundle: Bundle) -> Engine:
    return Engine(bundle.step_path, bundle.migrate_path, "cpu")


def step_inputs(bundle: Bundle, n: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(n)
    c = bundle.contract
    return (
        rng.normal(size=(n, c.state_size)).astype(np.float16),
        rng.normal(size=(n, c.item_dim)).astype(np.float32),
        rng.integers(0, len(c.platforms), n),
        rng.integers(0, len(c.actions), n),
        rng.exponential(1e5, n).astype(np.float32),
    )


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_shapes_and_types_at_any_batch_size(bundle: Bundle, cpu: Engine, n: int) -> None:
    states = cpu.step(*step_inputs(bundle, n))
    assert states.shape == (n, bundle.contract.state_size)
    assert states.dtype == np.float16
    interests = cpu.migrate(states)
    wanted = (n, len(bundle.contract.platforms), bundle.contract.vector_dim)
    assert interests.shape == wanted
    assert interests.dtype == np.float32


def test_a_user_gets_the_same_state_alone_and_among_others(bundle: Bundle, cpu: Engine) -> None:
    inputs = step_inputs(bundle, 9)
    together = cpu.step(*inputs).astype(np.float32)
    for user in range(9):
        alone = cpu.step(*(column[user : user + 1] for column in inputs)).astype(np.float32)
        np.testing.assert_allclose(alone[0], together[user], atol=2e-3)


def test_the_golden_outputs_come_out(bundle: Bundle, cpu: Engine) -> None:
    golden = bundle.golden
    names = ("state", "item", "platform", "action", "dt")
    states = cpu.step(*(golden[f"step_{name}"] for name in names))
    np.testing.assert_allclose(
        states.astype(np.float32), golden["step_next_state"].astype(np.float32), atol=1e-2
    )


def test_the_cpu_runs_where_it_is_asked_for(cpu: Engine) -> None:
    assert (cpu.wanted, cpu.provider) == (CPU, CPU)
    assert choose_providers("cpu") == [CPU]


def test_auto_says_what_really_runs(bundle: Bundle) -> None:
    found = Engine(bundle.step_path, bundle.migrate_path, "auto")
    assert found.wanted in (CPU, CUDA)
    assert found.provider in ort.get_available_providers()


def test_cuda_without_cuda_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(ProviderError, match="install onnxruntime-gpu"):
        choose_providers("cuda")


@pytest.mark.parametrize(("driver", "first"), [(True, CUDA), (False, CPU)])
def test_auto_asks_for_cuda_only_where_there_is_a_driver(
    monkeypatch: pytest.MonkeyPatch, driver: bool, first: str
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(engine, "_has_driver", lambda: driver)
    assert choose_providers("auto")[0] == first


def test_cuda_that_falls_back_is_an_error(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "choose_providers", lambda _: [CPU])
    with pytest.raises(ProviderError, match="fell back to CPUExecutionProvider"):
        Engine(Path(bundle.step_path), Path(bundle.migrate_path), "cuda")


def test_waves_in_halves_and_in_a_chain_lead_to_the_same_rows() -> None:
    demo = Bundle.load(Path("streams/demo/bundle"))
    whole, split, chained = (
        Engine(demo.step_path, demo.migrate_path, "cpu", halves=halves)
        for halves in ((), demo.halves[:2], demo.halves)
    )
    assert whole.halves is None
    assert split.halves is not None
    assert not split.halves.has_chain
    assert chained.halves is not None
    assert chained.halves.has_chain
    rng = np.random.default_rng(3)
    weights = np.arange(1, 41) ** -2.0  # the busiest user has more events than a call may take
    user = rng.choice(40, 4_000, p=weights / weights.sum())
    gap_ms = np.where(rng.random(4_000) < 0.01, HORIZON_MS + 1, 977)
    found = [live(demo, engine, user, np.cumsum(gap_ms)) for engine in (whole, split, chained)]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def live(bundle: Bundle, engine: Engine, user: np.ndarray, passed_ms: np.ndarray) -> np.ndarray:
    """Rows of 40 users after these events, in batches that enter in several blocks."""
    contract = bundle.contract
    layout = Layout(len(contract.platforms), contract.state_size, 8)
    slab, counts = Slab(layout, 1, 64), Counts()
    slab.begin_batch()
    rows = np.array([slab.insert(f"u/{n}", 0, None) for n in range(40)])
    catalogue = Catalogue(contract.platforms, bundle.items)
    state_updater = StateUpdater(slab, catalogue, engine, HORIZON_MS, counts, CallTimes())
    n, numbers = len(user), np.arange(len(user))
    for part in np.array_split(numbers, 2):
        state_updater.apply(
            StepColumns(
                row=rows[user[part]],
                time_ms=1_700_000_000_000 + passed_ms[part],
                platform=part % len(contract.platforms),
                action=part % len(contract.actions),
                item=part % 50,
                hash40=part % 50,
                event=part + 1,
                counted=np.ones(len(part), np.bool_),
            )
        )
    assert counts.applied.total() == n
    found: np.ndarray = slab.rows[rows]
    return found
