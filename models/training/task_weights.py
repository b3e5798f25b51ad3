"""Actions as tasks: what the prediction of a browse, a click, a purchase weighs in the loss.

One interest vector serves all actions, so what it is about depends on how much each of them
counted in training. Weights are set, or learned as task uncertainties (Kendall et al., CVPR
2018).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from models.contract import ACTIONS
from models.errors import ModelError

ALIKE: Final = "alike"
LEARNED: Final = "learned"
# No division by zero where a batch has only predictions that weigh nothing.
_TINY: Final = 1e-6


class Alike(nn.Module):
    """Each prediction counts the same."""

    def forward(self, losses: Tensor, action: Tensor) -> Tensor:
        """losses [n], actions of what was to be predicted [n] -> losses [n]."""
        del action
        return losses


class SetWeights(nn.Module):
    """Each action has a fixed weight.

    Args:
        weights: A numbers, for each of ``ACTIONS``.
    """

    weights: Tensor

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights))

    def forward(self, losses: Tensor, action: Tensor) -> Tensor:
        """losses [n], action [n] -> losses [n] whose mean is the weighted one."""
        weight = self.weights[action]  # [n]
        return losses * weight / weight.mean().clamp_min(_TINY)  # [n]


class LearnedWeights(nn.Module):
    """``sum over the actions of exp(-s) mean(loss) + s / 2``, with a learned s for each.

    ``exp(s)`` is the task's variance: one whose loss stays high counts less. Each action is a
    task with a mean of its own, however few of a batch's predictions it has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(len(ACTIONS)))

    def forward(self, losses: Tensor, action: Tensor) -> Tensor:
        """losses [n], action [n] -> losses [n] whose mean is the mean over the tasks."""
        count = torch.bincount(action, minlength=len(ACTIONS))[action]  # [n]
        s = self.log_variance[action]  # [n]
        tasks = len(torch.unique(action))
        return (torch.exp(-s) * losses + 0.5 * s) * (len(losses) / (count * tasks))  # [n]


def tasks_of(text: str) -> nn.Module:
    """The weighting that ``TrainConfig.actions`` asks for.

    Raises:
        ModelError: it is neither ``alike`` nor ``learned`` nor ``ACTION:WEIGHT,...``.
    """
    if text == ALIKE:
        return Alike()
    if text == LEARNED:
        return LearnedWeights()
    weights = dict.fromkeys(ACTIONS, 1.0)
    for part in text.split(","):
        name, _, weight = part.partition(":")
        try:
            weights[ACTIONS[ACTIONS.index(name.strip())]] = float(weight)
        except ValueError:
            raise ModelError(
                f"actions={text!r}: {part!r} isn't ACTION:WEIGHT with one of {', '.join(ACTIONS)}; "
                f"or say {ALIKE} or {LEARNED}"
            ) from None
    if min(weights.values()) < 0.0 or not any(weights.values()):
        raise ModelError(f"actions={text!r}: weights are at least 0, and not all of them 0")
    return SetWeights(list(weights.values()))
