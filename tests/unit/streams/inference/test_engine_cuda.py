"""The CUDA provider beside the CPU's, on the demo's bundle; skipped where no GPU runs it.

On a GPU a state is near the CPU's, not equal to it: multiplications round in another order, and
on Ampere and later to TF32 (10 bits of mantissa). So a row may also differ by as much alone and
in a batch. What doesn't depend on the numbers holds as on the CPU: which events count, once and
in which order, windows, marks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
import pytest

from streams.bundles.bundle import Bundle
from streams.errors import ProviderError
from streams.inference import engine
from streams.inference.engine import CPU, CUDA, Engine
from tests.support import skip_without_gpu
from tests.unit.streams.inference.test_engine import live, step_inputs

# Relative to the largest number: what export allows between ONNX Runtime and torch.
STATE_TOLERANCE: Final = 2**-8
INTEREST_TOLERANCE: Final = 2**-6
CHAIN: Final = 200


@pytest.fixture(scope="module")
def demo() -> Bundle:
    return Bundle.load(Path("streams/demo/bundle"))


@pytest.fixture(scope="module")
def cpu(demo: Bundle) -> Engine:
    return Engine(demo.step_path, demo.migrate_path, "cpu")


@pytest.fixture(scope="module")
def cuda(demo: Bundle) -> Engine:
    if CUDA not in ort.get_available_providers():
        skip_without_gpu(f"this onnxruntime offers {ort.get_available_providers()}")
    if not engine._has_driver():
        skip_without_gpu("this machine has no NVIDIA driver (libcuda)")
    try:
        return Engine(demo.step_path, demo.migrate_path, "cuda", halves=demo.halves)
    except ProviderError as error:
        skip_without_gpu(str(error))


def worst(got: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference, relative to the largest number wanted where that is above one."""
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    return float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max()))


def test_the_gpu_runs_whole_graphs(demo: Bundle, cuda: Engine) -> None:
    assert (cuda.wanted, cuda.provider, cuda.halves) == (CUDA, CUDA, None)
    assert Engine(demo.step_path, demo.migrate_path, "auto").provider == CUDA
    assert Engine(demo.step_path, demo.migrate_path, "cpu").provider == CPU


@pytest.mark.parametrize("n", [1, 2, 7, 64, 1_000])
def test_step_and_vectors_are_near_the_cpus(
    demo: Bundle, cpu: Engine, cuda: Engine, n: int
) -> None:
    inputs = step_inputs(demo, n)
    states, wanted = cuda.step(*inputs), cpu.step(*inputs)
    assert (states.dtype, states.shape) == (wanted.dtype, wanted.shape)
    assert worst(states, wanted) <= STATE_TOLERANCE
    vectors, exact = cuda.migrate(wanted), cpu.migrate(wanted)
    assert (vectors.dtype, vectors.shape) == (exact.dtype, exact.shape)
    assert worst(vectors, exact) <= INTEREST_TOLERANCE


def test_states_stay_near_over_many_steps_of_their_own(
    demo: Bundle, cpu: Engine, cuda: Engine
) -> None:
    ours = theirs = np.zeros((16, demo.contract.state_size), np.float16)
    for number in range(CHAIN):
        _, *events = step_inputs(demo, 16 + number % 3)
        some = [column[:16] for column in events]
        ours, theirs = cuda.step(ours, *some), cpu.step(theirs, *some)
        assert worst(ours, theirs) <= STATE_TOLERANCE, number
    assert worst(cuda.migrate(ours), cpu.migrate(theirs)) <= INTEREST_TOLERANCE


def test_a_row_alone_is_near_the_row_among_others(demo: Bundle, cuda: Engine) -> None:
    inputs = step_inputs(demo, 33)
    together = cuda.step(*inputs)
    for row in range(33):
        alone = cuda.step(*(column[row : row + 1] for column in inputs))
        assert worst(alone[0], together[row]) <= STATE_TOLERANCE


def test_the_golden_outputs_of_the_bundle_come_out(demo: Bundle, cuda: Engine) -> None:
    golden = demo.golden
    names = ("state", "item", "platform", "action", "dt")
    states = cuda.step(*(golden[f"step_{name}"] for name in names))
    assert worst(states, golden["step_next_state"]) <= STATE_TOLERANCE
    vectors = cuda.migrate(golden["step_next_state"])
    assert worst(vectors, golden["migrate_interests"]) <= INTEREST_TOLERANCE


def test_the_workers_waves_lead_to_near_states(demo: Bundle, cpu: Engine, cuda: Engine) -> None:
    rng = np.random.default_rng(3)
    user = rng.choice(40, 1_000, p=np.arange(40, 0, -1) / 820)
    passed_ms = np.arange(1_000) * 977
    on_gpu, on_cpu = (live(demo, engine, user, passed_ms)["current"] for engine in (cuda, cpu))
    assert worst(on_gpu, on_cpu) <= STATE_TOLERANCE
