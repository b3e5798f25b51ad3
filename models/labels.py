"""Interest in words: shares of labels from an interest vector, with numpy alone.

A target's labels are its categories, or topics of its titles where items have none. A softmax
of a linear map of the interest vector says how likely the user's next event on the target
falls under each; export fits it (``models.training.label_fit``), the worker evaluates it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

KIND: Final = "softmax-labels/1"
OTHER: Final = "other"
_STEPS: Final = 10_000

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Labels:
    """One target's labels.

    Attributes:
        names: L names, each once.
        weight: float32 [V, L].
        bias: float32 [L].
        items: int16 [N], the label of each item of the target, -1 for none.
    """

    names: tuple[str, ...]
    weight: F32
    bias: F32
    items: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))

    def shares(self, vectors: F32) -> F32:
        """Interest vectors float32 [n, V] -> shares float32 [n, L], rows summing to one."""
        logits = vectors @ self.weight + self.bias
        weight = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: F32 = weight / weight.sum(axis=1, keepdims=True)
        return shares

    def top(self, vectors: F32, count: int) -> list[dict[str, float]]:
        """The ``count`` largest shares of each row, and the rest as ``other``; sums are one."""
        shares = self.shares(np.asarray(vectors, np.float32))
        count = min(count, shares.shape[1])
        best = np.argsort(-shares, axis=1, kind="stable")[:, :count]
        # Rounded down, so that no sum is above one.
        cut = np.floor(np.take_along_axis(shares, best, axis=1).astype(np.float64) * _STEPS)
        chosen, rest = cut / _STEPS, (_STEPS - cut.sum(axis=1)) / _STEPS
        return [
            self._named(rows, values, left)
            for rows, values, left in zip(
                best.tolist(), chosen.tolist(), rest.tolist(), strict=True
            )
        ]

    def _named(self, rows: list[int], values: list[float], left: float) -> dict[str, float]:
        made = {self.names[row]: value for row, value in zip(rows, values, strict=True) if value}
        if left > 0:
            made[OTHER] = round(made.get(OTHER, 0.0) + left, 4)
        return made


def to_parts(labels: Mapping[str, Labels]) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    """``labels.json`` and the arrays of ``labels.npz``, of each target that has labels."""
    names = {target: list(found.names) for target, found in labels.items()}
    arrays: dict[str, npt.NDArray[Any]] = {}
    for at, found in enumerate(labels.values()):
        arrays[f"weight_{at}"] = found.weight.astype(np.float16)
        arrays[f"bias_{at}"] = found.bias.astype(np.float32)
        arrays[f"items_{at}"] = found.items.astype(np.int16)
    return json.dumps({"kind": KIND, "labels": names}, indent=1) + "\n", arrays


def from_parts(header: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Labels]:
    """Read ``labels.json`` and ``labels.npz``.

    Raises:
        ValueError: another kind, or arrays that don't fit the names.
    """
    head = json.loads(header)
    if head.get("kind") != KIND:
        raise ValueError(f"kind is {head.get('kind')!r}, this version reads {KIND!r}")
    made = {}
    for at, (target, names) in enumerate(head["labels"].items()):
        weight, bias = arrays[f"weight_{at}"], arrays[f"bias_{at}"]
        if weight.ndim != 2 or (weight.shape[1],) != bias.shape or len(names) != len(bias):
            raise ValueError(
                f"labels of {target!r}: {len(names)} names, weight {weight.shape}, "
                f"bias {bias.shape}"
            )
        made[target] = Labels(
            tuple(names), weight.astype(np.float32), bias.astype(np.float32), arrays[f"items_{at}"]
        )
    return made
