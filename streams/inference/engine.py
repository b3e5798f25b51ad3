"""ONNX Runtime behind two calls: step and migrate."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streams.bundles.graphs import StepHalves
from streams.errors import ProviderError

log = logging.getLogger(__name__)

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
ProviderChoice = Literal["auto", "cpu", "cuda"]

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


def session_options(threads: int = 1) -> ort.SessionOptions:
    """Options that every session of the worker shares.

    One thread and no spinning: a step is too small to share, and a spinning pool burns the
    core that decodes the next batch. Denormals are flushed because decayed states reach them
    and then cost three times as much; the first session of a process decides that.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # It keeps what the largest batch took, in steps of powers of two: malloc costs no more.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.log_severity_level = 3
    return options


def choose_providers(choice: ProviderChoice) -> list[str]:
    """Execution providers to ask for, best first.

    Raises:
        ProviderError: ``cuda`` was asked for and this onnxruntime has none.
    """
    available = ort.get_available_providers()
    if choice == "cuda" and CUDA not in available:
        raise ProviderError(
            f"onnx.providers is 'cuda', but this onnxruntime offers {available}; install "
            "onnxruntime-gpu and the CUDA libraries, or set onnx.providers = 'auto'"
        )
    wanted = choice == "cuda" or (choice == "auto" and CUDA in available and _has_driver())
    return [CUDA, CPU] if wanted else [CPU]


def _has_driver() -> bool:
    """Whether this machine has NVIDIA's driver; the wheel offers CUDA either way."""
    try:
        ctypes.CDLL("libcuda.so.1" if os.name == "posix" else "nvcuda.dll")
    except OSError:
        return False
    return True


class Engine:
    """The two graphs of a bundle.

    Args:
        step_path: ``step.onnx``.
        migrate_path: ``migrate.onnx``.
        providers: ``auto`` (CUDA where it really runs), ``cpu`` or ``cuda`` (an error where
            it doesn't run).
        threads: threads inside one call.
        halves: ``enter.onnx`` and ``recur.onnx``, where the bundle has them, and ``chain.onnx``.

    Attributes:
        halves: the step in two halves; None where the bundle hasn't them, or a device runs the
            graphs, to which the half-way tensors would have to go and come back.
        wanted: the execution provider that was asked for first.
        provider: the one that really runs.
        calls: calls that were begun.
        returned: the last of them that came back; behind ``calls`` while one is under way.
    """

    def __init__(
        self,
        step_path: Path,
        migrate_path: Path,
        providers: ProviderChoice = "auto",
        threads: int = 1,
        halves: tuple[Path, ...] = (),
    ) -> None:
        self.calls = self.returned = 0
        options = session_options(threads)
        wanted = choose_providers(providers)
        self.wanted = wanted[0]
        self._step = ort.InferenceSession(str(step_path), options, providers=wanted)
        self._migrate = ort.InferenceSession(str(migrate_path), options, providers=wanted)
        # A wheel with CUDA lists it on machines without: only the session knows.
        self.provider = self._step.get_providers()[0]
        if providers == "cuda" and self.provider != CUDA:
            raise ProviderError(
                f"onnx.providers is 'cuda', but ONNX Runtime fell back to {self.provider}: "
                "check the driver and the CUDA libraries, or set onnx.providers = 'auto'"
            )
        self.halves: StepHalves | None = None
        if halves and self.provider == CPU:
            self.halves = StepHalves(
                *(ort.InferenceSession(str(half), options, providers=[CPU]) for half in halves)
            )
        self._run_step = self._step.run
        self._run_migrate = self._migrate.run

    def step(
        self, state: Float16, item: Float32, platform: Int64, action: Int64, dt: Float32
    ) -> Float16:
        """States after one event each.

        Args:
            state: [B, S]. item: [B, D]. platform: [B]. action: [B]. dt: seconds [B].

        Returns:
            [B, S]
        """
        feeds = {"state": state, "item": item, "platform": platform, "action": action, "dt": dt}
        result: Float16 = self._call(self._run_step, feeds)
        return result

    def migrate(self, state: Float16) -> Float32:
        """Interest vectors of states [B, S] for every target: [B, P, V]."""
        result: Float32 = self._call(self._run_migrate, {"state": state})
        return result

    def _call(self, run: Callable[..., Any], feeds: dict[str, Any]) -> Any:
        self.calls += 1
        try:
            return run(None, feeds)[0]
        finally:
            self.returned = self.calls
