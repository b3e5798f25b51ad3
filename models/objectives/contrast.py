"""Contrastive pairs: what two platforms say of one person should be nearer than of two.

InfoNCE (van den Oord et al., 2018) over both directions, with the other people of the batch as
negatives, as for images and texts in CLIP (Radford et al., ICML 2021); contrasting users across
domains for cold starts is from CCDR (Xie et al., KDD 2022).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from models.objectives.base import Objective, Seen
from models.recurrence.heads import Heads

TEMPERATURE: Final = 0.2


class Contrast(Objective):
    """Pulls together the interests on a platform, told by it alone and by all others."""

    def loss(self, seen: Seen) -> Tensor:
        """Mean InfoNCE of the pairs, in nats."""
        pairs = seen.pairs()
        if pairs is None:
            return seen.features.new_zeros(())
        elsewhere = directions(seen.network.heads, pairs.without, pairs.platform)  # [m, D]
        there = directions(seen.network.heads, pairs.only, pairs.platform)  # [m, D]
        return info_nce(elsewhere, there, pairs.platform)


def directions(heads: Heads, features: Tensor, platform: Tensor) -> Tensor:
    """Features [m, D + K], targets [m] -> the learned part of the interests, of length 1 [m, D]."""
    every = heads(features)  # [m, P, V]
    mine = every[torch.arange(len(platform)), platform]  # [m, V]
    return F.normalize(mine[:, : heads.config.dim], dim=-1)


def info_nce(left: Tensor, right: Tensor, group: Tensor) -> Tensor:
    """Row i of ``left`` [m, D] belongs to row i of ``right`` [m, D], both of unit length.

    Args:
        left: one view of each.
        right: the other view.
        group: int64 [m]; only rows of one group are told apart, so that it is no hint.
    """
    logits = left @ right.T / TEMPERATURE  # [m, m]
    logits = logits.masked_fill(group.unsqueeze(1) != group, -torch.inf)  # [m, m]
    own = torch.arange(len(left))  # [m]
    return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))
