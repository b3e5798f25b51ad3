"""The section ``[onnx]``: where the model runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.settings.base import Section


class Onnx(Section):
    """Where the model runs."""

    providers: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="`auto`: CUDA where it really runs, else the CPU. `cpu`: the CPU. `cuda`: "
        "CUDA, or the worker doesn't start.",
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="Threads of ONNX Runtime in one operator."
    )
