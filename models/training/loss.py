"""The training loss: sampled softmax over the target's own catalogue, with logQ.

Negatives are shared by a batch and drawn by popularity; each one's score is lowered by the
logarithm of how often it is expected among the negatives (Bengio & Senécal, 2008; Yi et al.,
RecSys 2019), so that the loss estimates the full softmax. The positive isn't sampled, so it
needs no correction (Khrylchenko et al., RecSys 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.data.sequences import F32


@dataclass(frozen=True)
class Negatives:
    """Items drawn from one platform's catalogue.

    Attributes:
        rows: int64 [M], item numbers over all platforms.
        log_expected: float32 [M], log of the expected number of times each is drawn.
    """

    rows: Tensor
    log_expected: Tensor


class Sampler:
    """Draws negatives of one platform in proportion to ``(count + 1) ** power``."""

    def __init__(self, first: int, counts: F32, size: int, power: float) -> None:
        weights = (counts.astype(np.float64) + 1.0) ** power
        self.first, self.size = first, min(size, len(counts))
        self.share = weights / weights.sum()
        self.cumulative = np.cumsum(self.share)

    def draw(self, rng: np.random.Generator) -> Negatives:
        """M independent draws."""
        at = np.searchsorted(self.cumulative, rng.random(self.size) * self.cumulative[-1])
        expected = torch.from_numpy(np.log(self.size * self.share[at]).astype(np.float32))
        return Negatives(torch.from_numpy(at + self.first), expected)


def sampled_softmax(
    interests: Tensor,
    positives: Tensor,
    rows: Tensor,
    negatives: Tensor,
    drawn: Negatives,
    more: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The loss of each prediction.

    Args:
        interests: float32 [n, V].
        positives: float32 [n, V], output vectors of the right items.
        rows: int64 [n], numbers of the right items.
        negatives: float32 [M, V], output vectors of ``drawn``.
        drawn: the negatives.
        more: what is added to the scores of the right items [n] and of the others [n, M].

    Returns:
        float32 [n], in nats.
    """
    right = (interests * positives).sum(dim=-1)  # [n]
    wrong = torch.addmm(-drawn.log_expected, interests, negatives.T)  # [n, M]
    if more is not None:
        right, wrong = right + more[0], wrong + more[1]
    wrong.masked_fill_(rows.unsqueeze(-1) == drawn.rows, -torch.inf)
    others = torch.logsumexp(wrong, dim=-1)  # [n]
    return F.softplus(others - right)  # [n] = log(exp(right) + exp(others)) - right
