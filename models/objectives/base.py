"""What a model can be trained for beside the next event, and what it is shown for that.

An objective has a weight in ``TrainConfig``; with zero it isn't made, so it costs nothing. It
may change which sequences a pass shows, adds one number to the loss of each batch, and may have
parameters of its own, which training alone needs: no exported graph has them.

Shapes: B sequences, T events, D learned width, K title features, n predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.data.sequences import Batch, Pass

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """A batch, and what the network made of it.

    Attributes:
        batch: B sequences.
        features: float32 [B, T, D + K], what the heads read after each event.
        losses: float32 [n], the loss of each prediction of a next event.
        row: int64 [n], the sequence of each prediction.
    """

    batch: Batch
    features: Tensor
    losses: Tensor
    row: Tensor

    def predictions(self, cold: bool) -> Tensor:
        """Share that plain sequences, or cold views, have in the mean loss: a scalar, in nats."""
        chosen = torch.from_numpy(self.batch.cold == cold)[self.row]  # [n]
        return self.losses[chosen].sum() / max(1, len(self.losses))


class Objective(nn.Module, ABC):
    """One term of the loss.

    Args:
        weight: multiplies what ``loss`` returns.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def show(self, shown: Pass, mixed: Bool, rng: np.random.Generator) -> Pass:
        """What a pass over the data shows instead of ``shown``.

        Args:
            shown: the sequences so far.
            mixed: bool [number of sequences], which have events of several platforms.
            rng: of whatever is drawn.
        """
        del mixed, rng
        return shown

    @abstractmethod
    def loss(self, seen: Seen) -> Tensor:
        """A scalar, without the weight; zero where the batch has nothing for it."""
