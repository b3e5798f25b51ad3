"""Other forms of what a trained model exports: float32 and int8; to hold beside what ships.

A bundle has states and item vectors as float16. The int8 forms are made by ONNX Runtime's own
quantiser (integers in place of real numbers: Jacob et al., CVPR 2018), with ranges of a sample:
ranges of each call would make a row depend on its batch (microsoft/onnxruntime#10111).
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime import quantization
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from export.bundle import PlatformItems
from export.graph import migrate_graph, step_graph
from export.pipeline import catalogues
from models.contract import STEP_INPUTS
from models.training.checkpoint import Checkpoint

SHIPS: Final = "float16 (ships)"
REFERENCE: Final = "float32"
# Symmetric, so that zero stays zero.
_INT8: Final = 127

Feeds = Mapping[str, npt.NDArray[Any]]
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Form:
    """One form of a model.

    Attributes:
        name: what the table calls it.
        step: the step graph.
        migrate: the migrate graph.
        items_bytes: of all item vectors as this form stores them.
        files: what differs from the shipped bundle beside the graphs, by path in its folder.
    """

    name: str
    step: bytes
    migrate: bytes
    items_bytes: int
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def graphs(self) -> dict[str, bytes]:
        """Both graphs by the names of their files."""
        return {"step.onnx": self.step, "migrate.onnx": self.migrate}


def forms(checkpoint: Checkpoint, step: bytes, migrate: bytes, sample: Feeds) -> list[Form]:
    """What ships, first, and all that it is held against.

    Args:
        checkpoint: the trained model.
        step: its step graph, as it ships.
        migrate: its migrate graph.
        sample: inputs of the step graph at real events, which the static int8 forms are
            calibrated on.
    """
    network, items = checkpoint.network.eval(), catalogues(checkpoint)
    wide = step_graph(network, torch.float32), migrate_graph(network, torch.float32)
    stepped = static_int8(step, sample)
    vectors = static_int8(migrate, {STEP_INPUTS[0]: sample[STEP_INPUTS[0]]})
    half, full, byte = (_items_bytes(items, kind) for kind in ("float16", "float32", "int8"))
    return [
        Form(SHIPS, step, migrate, half),
        Form(REFERENCE, *wide, full, tables(items, lambda vectors: vectors)),
        Form("float32 state", *wide, half),
        Form("int8 step, static", stepped, migrate, half),
        Form("int8 vectors, static", step, vectors, half),
        Form("int8 both, static", stepped, vectors, half),
        Form("int8 items", step, migrate, byte, tables(items, int8_columns)),
    ]


def static_int8(graph: bytes, sample: Feeds) -> bytes:
    """The matrices as int8; what they are multiplied with is rounded by ranges of a sample."""
    model = onnx.load_from_string(graph)
    # Matrices are turned around while they become integers; their old shapes would contradict.
    del model.graph.value_info[:]
    add_pre_process_metadata(model)  # the exporter has folded constants; else it warns
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "graph.onnx"
        quantization.quantize_static(
            model,
            out,
            calibration_data_reader=_Sample(sample),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            op_types_to_quantize=["Gemm", "MatMul"],
        )
        return out.read_bytes()


def int8_columns(vectors: F32) -> F32:
    """Vectors [N, V] rounded to int8, with a scale for each column: float32 [N, V].

    Columns, as the parts of a vector (content, bias, titles, trend) differ in size.
    """
    values = torch.from_numpy(vectors)
    scale = values.abs().amax(dim=0).clamp_min(1e-12) / _INT8  # [V]
    zero = torch.zeros(len(scale), dtype=torch.int32)
    rounded: F32 = torch.fake_quantize_per_channel_affine(
        values, scale, zero, 1, -_INT8, _INT8
    ).numpy()
    return rounded


def tables(items: Mapping[str, PlatformItems], rounded: Callable[[F32], F32]) -> dict[str, bytes]:
    """The files of all item vectors as float32, each rounded first."""
    made = {}
    for name, one in items.items():
        for kind, vectors in (("in", one.vectors_in), ("out", one.vectors_out)):
            file = io.BytesIO()
            np.save(file, rounded(vectors))
            made[f"items/{name}.{kind}.npy"] = file.getvalue()
    return made


def _items_bytes(items: Mapping[str, PlatformItems], kind: str) -> int:
    vectors = [one for each in items.values() for one in (each.vectors_in, each.vectors_out)]
    numbers = sum(one.size for one in vectors) * np.dtype(kind).itemsize
    scales = sum(one.shape[1] for one in vectors) * np.dtype("float32").itemsize
    return numbers + (scales if kind == "int8" else 0)


class _Sample:
    """Real inputs, all at once (what ONNX Runtime calls a calibration data reader)."""

    def __init__(self, inputs: Feeds) -> None:
        self._left: list[dict[str, Any]] = [dict(inputs)]

    def get_next(self) -> dict[str, Any] | None:
        """Inputs of a call, None after the last."""
        return self._left.pop() if self._left else None
