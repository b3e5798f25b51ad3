"""What the prediction of a browse, a click, a purchase weighs in the loss.

One interest vector serves all actions, so what it is about depends on how much each of them
counted in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from models.contract import ACTIONS
from models.errors import ModelError

ALIKE: Final = "alike"
# No division by zero where a batch has only predictions that weigh nothing.
_TINY: Final = 1e-6


@dataclass(frozen=True)
class ActionWeights:
    """A weight for each of ``ACTIONS``; None where each prediction counts the same."""

    weights: tuple[float, ...] | None

    @classmethod
    def parse(cls, text: str) -> ActionWeights:
        """The weights that ``TrainConfig.actions`` asks for.

        Raises:
            ModelError: it is neither ``alike`` nor ``ACTION:WEIGHT,...``.
        """
        if text == ALIKE:
            return cls(None)
        weights = dict.fromkeys(ACTIONS, 1.0)
        for part in text.split(","):
            name, _, weight = part.partition(":")
            try:
                weights[ACTIONS[ACTIONS.index(name.strip())]] = float(weight)
            except ValueError:
                raise ModelError(
                    f"actions={text!r}: {part!r} isn't ACTION:WEIGHT with one of "
                    f"{', '.join(ACTIONS)}; or say {ALIKE}"
                ) from None
        if min(weights.values()) < 0.0 or not any(weights.values()):
            raise ModelError(f"actions={text!r}: weights are at least 0, and not all of them 0")
        return cls(tuple(weights.values()))

    def apply(self, losses: Tensor, action: Tensor) -> Tensor:
        """losses [n], actions of what was to be predicted [n] -> losses [n], weighted mean."""
        if self.weights is None:
            return losses
        weight = torch.tensor(self.weights)[action]  # [n]
        return losses * weight / weight.mean().clamp_min(_TINY)  # [n]
