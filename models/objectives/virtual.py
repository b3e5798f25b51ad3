"""Virtual target states: where a person without a history on the target would stand there.

A generator learns from people on several platforms what the features after their events on one
platform look like, given the features after those elsewhere. For people who have nothing there,
it draws such features, and the model learns to serve them what it would serve from these.

The generator is a conditional flow: a field of velocities from noise to features, learned by
regression on straight lines (flow matching, Lipman et al., ICLR 2023; rectified flow, Liu et al.,
ICLR 2023). It succeeds GANs here because a regression can't diverge or lose modes as the game of
two networks does, and diffusion (DiffCDR, Xuan, 2024, has the same idea for cold starts) because
straight lines need four steps, not dozens. Training alone needs it: serving pays nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.data.sequences import Batch, IntArray
from models.objectives.base import Objective, Seen
from models.objectives.contrast import directions

STEPS: Final = 4
# Batches in which only the generator learns: before, it has nothing to say.
WARM_UP: Final = 100


class Generator(nn.Module):
    """Features of a target's own events, drawn given those of events elsewhere.

    Args:
        dim: D.
        platforms: P.
    """

    def __init__(self, dim: int, platforms: int) -> None:
        super().__init__()
        self.dim, self.platforms = dim, platforms
        self.velocity = nn.Sequential(
            nn.Linear(2 * dim + 1 + platforms, 2 * dim),
            nn.ReLU(),
            nn.Linear(2 * dim, 2 * dim),
            nn.ReLU(),
            nn.Linear(2 * dim, dim),
        )

    def field(self, x: Tensor, time: Tensor, given: Tensor, platform: Tensor) -> Tensor:
        """x, given [m, D], time [m, 1] from 0 to 1, platform [m] -> velocity [m, D]."""
        target = F.one_hot(platform, self.platforms).float()  # [m, P]
        moved: Tensor = self.velocity(torch.cat([x, given, time, target], dim=-1))  # [m, D]
        return moved

    def loss(self, real: Tensor, given: Tensor, platform: Tensor) -> Tensor:
        """How far the velocity is from a straight line to ``real`` [m, D]: a scalar."""
        noise, time = torch.randn_like(real), torch.rand(len(real), 1)  # [m, D], [m, 1]
        x = time * real + (1.0 - time) * noise  # [m, D]
        return F.mse_loss(self.field(x, time, given, platform), real - noise)

    @torch.no_grad()
    def draw(self, given: Tensor, platform: Tensor) -> Tensor:
        """Virtual features [m, D], given those of events elsewhere [m, D] and targets [m]."""
        x = torch.randn_like(given)  # [m, D]
        for step in range(STEPS):
            time = torch.full((len(x), 1), step / STEPS)  # [m, 1]
            x = x + self.field(x, time, given, platform) / STEPS  # [m, D]
        return x


class VirtualStates(Objective):
    """Serve people without a history on a target as if they had a drawn one.

    Args:
        weight: of the loss.
        dim: D.
        platforms: P.
    """

    def __init__(self, weight: float, dim: int, platforms: int) -> None:
        super().__init__(weight)
        self.generator = Generator(dim, platforms)
        self.batches = 0

    def loss(self, seen: Seen) -> Tensor:
        """The generator's own loss, and after a while one minus the cosine of both interests."""
        pairs, dim = seen.pairs(), self.generator.dim
        loss = seen.features.new_zeros(())
        if pairs is not None:
            real, given = pairs.only[:, :dim].detach(), pairs.without[:, :dim].detach()  # [m, D]
            loss = loss + self.generator.loss(real, given, pairs.platform)
        self.batches += 1
        row, event, target = newcomers(seen.batch, seen.rng)  # [k] each
        if not len(row) or self.batches <= WARM_UP:
            return loss
        platform = torch.from_numpy(target)  # [k]
        features = seen.features[torch.from_numpy(row), torch.from_numpy(event)]  # [k, D + K]
        virtual = self.generator.draw(features[:, :dim].detach(), platform)  # [k, D]
        heads, titles = seen.network.heads, torch.zeros(len(row), features.shape[1] - dim)
        wanted = directions(heads, torch.cat([virtual, titles], dim=-1), platform).detach()
        served = directions(heads, features, platform)  # [k, D]
        return loss + (1.0 - (served * wanted).sum(dim=-1)).mean()


def newcomers(batch: Batch, rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """For each sequence and platform a moment before the person's first event there, if any.

    Returns:
        Rows, events and platforms of the k moments, int64 [k] each.
    """
    real = batch.item >= 0  # [B, T]
    here = batch.platform[..., None] == np.arange(batch.target.shape[-1])  # [B, T, P]
    met = np.logical_or.accumulate(here & real[..., None], axis=1)  # [B, T, P]
    new = real[..., None] & ~met  # [B, T, P]
    event = np.argmax(rng.random(new.shape) * new, axis=1)  # [B, P]
    row, target = np.nonzero(new.any(axis=1))
    return row, event[row, target], target
