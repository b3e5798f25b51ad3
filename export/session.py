"""ONNX Runtime as the worker runs it: one thread, in order, not spinning."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort


def options(threads: int = 1) -> ort.SessionOptions:
    """Session options: spinning burns a core while it waits, so it is off."""
    made = ort.SessionOptions()
    made.intra_op_num_threads = threads
    made.inter_op_num_threads = 1
    made.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    made.add_session_config_entry("session.intra_op.allow_spinning", "0")
    made.log_severity_level = 3
    return made


def open_session(model: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    """A CPU session on a file or on a serialised graph."""
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options(threads), providers=["CPUExecutionProvider"])
