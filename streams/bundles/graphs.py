"""Open a bundle's graphs and hold their inputs and outputs against the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.contract import MIGRATE_OUTPUTS, STEP_OUTPUTS, Contract
from streams.errors import BundleError

EXPORT_AGAIN: Final = "export the bundle again, or copy it again"


def open_graph(graph: Path) -> ort.InferenceSession:
    """A CPU session of one thread.

    Raises:
        BundleError: ONNX Runtime refuses the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many types of its own
        raise BundleError(f"ONNX Runtime refuses {graph}: {error}; {EXPORT_AGAIN}") from error


class StepHalves:
    """The step in two halves: over all events at once, then event after event of a user.

    Args:
        enter: session of ``enter.onnx``.
        recur: session of ``recur.onnx``.
        chain: session of ``chain.onnx``, where the bundle has it.

    Attributes:
        has_chain: :meth:`chain` can be called.
    """

    def __init__(self, enter: Any, recur: Any, chain: Any = None) -> None:
        # The compiled session's own call: what Python does around it is a sixth of a small one.
        self._enter = enter._sess.run
        self._recur = recur._sess.run
        self._events = [node.name for node in enter.get_inputs()]
        # Bundles of before the first half took items as they are stored have it in float32.
        stored = enter.get_inputs()[0].type == "tensor(float16)"
        self._item: type[np.floating[Any]] = np.float16 if stored else np.float32
        self._between = [node.name for node in enter.get_outputs()]
        self._after = [node.name for node in recur.get_outputs()]
        self.has_chain = chain is not None
        if chain is not None:
            self._chain = chain._sess.run
            self._of_chain = [node.name for node in chain.get_inputs()]
            self._chained = [node.name for node in chain.get_outputs()]

    def enter(
        self,
        item: NDArray[np.floating[Any]],
        platform: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> list[NDArray[Any]]:
        """What the second half takes beside the state; arrays [B, ...]."""
        inputs = item.astype(self._item, copy=False), platform, action, dt
        feeds = dict(zip(self._events, inputs, strict=True))
        found: list[NDArray[Any]] = self._enter(self._between, feeds, None)
        return found

    def recur(
        self, state: NDArray[np.float16], entered: Sequence[NDArray[Any]]
    ) -> NDArray[np.float16]:
        """States [B, S] after one event each."""
        feeds = dict(zip(self._between, entered, strict=True))
        feeds["state"] = state
        after: NDArray[np.float16] = self._recur(self._after, feeds, None)[0]
        return after

    def chain(
        self, state: NDArray[np.float16], entered: Sequence[NDArray[Any]]
    ) -> NDArray[np.float16]:
        """States [T, B, S] after each of T events of B users; ``entered`` are [T * B, ...]."""
        of_each = (column.reshape(-1, len(state), *column.shape[1:]) for column in entered)
        feeds = dict(zip(self._of_chain, (state, *of_each), strict=True))
        states: NDArray[np.float16] = self._chain(self._chained, feeds, None)[0]
        return states


def verify_graphs(c: Contract, folder: Path, step: Any, migrate: Any) -> None:
    """Compare the sessions' inputs and outputs with the contract.

    Raises:
        BundleError: a name, dtype or shape differs, or the batch axis is fixed.
    """
    step_path, migrate_path = folder / "step.onnx", folder / "migrate.onnx"
    state = ("tensor(float16)", [c.state_size])
    wanted = {"state": state, "item": ("tensor(float)", [c.item_dim])}
    wanted |= {"platform": ("tensor(int64)", []), "action": ("tensor(int64)", [])}
    wanted |= {"dt": ("tensor(float)", [])}
    vectors = ("tensor(float)", [len(c.platforms), c.vector_dim])
    _verify_nodes(step_path, "input", step.get_inputs(), wanted)
    _verify_nodes(step_path, "output", step.get_outputs(), {STEP_OUTPUTS[0]: state})
    _verify_nodes(migrate_path, "input", migrate.get_inputs(), {"state": state})
    outputs = {MIGRATE_OUTPUTS[0]: vectors}
    _verify_nodes(migrate_path, "output", migrate.get_outputs(), outputs)


def _verify_nodes(
    graph: Path, kind: str, nodes: Sequence[Any], wanted: Mapping[str, tuple[str, list[int]]]
) -> None:
    """Names, dtypes and shapes; the first axis must be symbolic (any batch size)."""
    found = {node.name: (node.type, list(node.shape)) for node in nodes}
    if set(found) != set(wanted):
        raise BundleError(f"{graph} has {kind}s {sorted(found)}, expected {sorted(wanted)}")
    for name, (dtype, tail) in wanted.items():
        got_dtype, shape = found[name]
        if got_dtype != dtype or shape[1:] != tail or isinstance(shape[0], int):
            raise BundleError(
                f"{graph}: {kind} {name!r} is {got_dtype}{shape}, expected {dtype}['B', *{tail}] "
                f"with a symbolic batch axis; {EXPORT_AGAIN}"
            )
