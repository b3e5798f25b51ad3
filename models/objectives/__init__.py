"""What a model is trained for beside the next event: alignment of platforms."""

from __future__ import annotations

from models.config import TrainConfig
from models.objectives.base import Objective, Seen
from models.objectives.cold import ColdViews
from models.objectives.confusion import Confusion
from models.objectives.contrast import Contrast
from models.objectives.virtual import VirtualStates
from models.recurrence.network import Network

__all__ = [
    "ColdViews",
    "Confusion",
    "Contrast",
    "Objective",
    "Seen",
    "VirtualStates",
    "objectives_of",
]


def objectives_of(network: Network, config: TrainConfig) -> list[Objective]:
    """The objectives that have a weight."""
    dim, platforms = network.config.dim, len(network.platforms)
    made: list[Objective] = []
    if config.cold:
        made.append(ColdViews(config.cold))
    if config.contrast:
        made.append(Contrast(config.contrast))
    if config.confusion:
        made.append(Confusion(config.confusion, dim, platforms))
    if config.virtual:
        made.append(VirtualStates(config.virtual, dim, platforms))
    return made
