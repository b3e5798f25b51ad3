"""What a model is trained for beside the next event: alignment of platforms.

A file for each objective (``models.objectives.base.Objective``), a line for it in ``OBJECTIVES``,
and its weight, a field of ``TrainConfig``. In: a pass's sequences, and what the network made of a
batch; out: a term of the loss. Imports ``models.data`` and ``models.config``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from models.config import TrainConfig
from models.objectives.base import Objective, Seen
from models.objectives.cold import ColdViews

__all__ = ["OBJECTIVES", "ColdViews", "Objective", "Seen", "objectives_of"]

# The setting of ``TrainConfig`` that is an objective's weight -> the objective with a weight.
OBJECTIVES: Final[Mapping[str, Callable[[float], Objective]]] = {
    "cold": ColdViews,
}


def objectives_of(config: TrainConfig) -> list[Objective]:
    """The objectives that have a weight."""
    return [make(weight) for name, make in OBJECTIVES.items() if (weight := getattr(config, name))]
