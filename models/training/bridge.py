"""What one item says about others, from people who had both: a bridge in the state.

Where few people are on several platforms, a closed form learns more from them than gradient
steps do. For each target, a ridge regression maps what a person did to what the same person
did on the target:

    W = X' (X X' + penalty I)^-1 Y     X [people, items], Y [people, the target's]

where X has the items of the other platforms alone, which is EASE^R (Steck, WWW 2019) without
the blocks inside a platform, or all of them. It is solved over people (there are fewer than
items). Its score is a sum over the history, so the recurrent state holds it exactly, given
the rank: with ``W = L R'`` cut to k directions, an event adds its item's row of L to the state,
and a target item's output vector is its row of R. That is what the state does with titles' own
features as well, so the bridge takes their place in data without titles.

The network is trained without it: the bridge's people are those that training has, so it would
learn to trust it too much. What each target gets of it is chosen on validation
(``models.training.bridge_choice``), after each epoch, so that the best epoch is the best with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from scipy import linalg, sparse

from models.config import ModelConfig
from models.data.sequences import F32
from models.data.table import EventTable
from models.items.vectors import Items
from models.recurrence.network import Network
from models.training.bridge_choice import SILENT, choose
from models.training.infer import Validation

# Ridge penalty, in mean squared lengths of a person's history.
_PENALTY: Final = 20.0
# The solution takes time with the cube of the people: of more, so many are drawn.
_PEOPLE: Final = 5_000
_FEWEST: Final = 20
# Directions beside those that are kept, and rounds, so that these are the strongest.
_MORE: Final = 32
_ROUNDS: Final = 5
# What a sum keeps at each event: so that it is bounded, and 500 events count.
_KEPT: Final = 0.998


def solve_bridges(table: EventTable, size: int) -> list[F32]:
    """Factors of the bridge from elsewhere alone and of that from everything, where there are any.

    Args:
        table: training events.
        size: K, numbers of the state that are free for it.
    """
    reaches = [bridge_factors(table, size, inside) for inside in (False, True)]
    return [factors for factors in reaches if factors is not None]


def add_bridge(network: Network, solved: Sequence[F32], validation: Validation) -> Network:
    """The network with a bridge in its state, or as it is where validation doesn't gain.

    Args:
        network: trained, in evaluation mode, without titles of their own in its state.
        solved: bridges to choose from, of which each target gets one.
        validation: what it is judged by.
    """
    if not solved or not len(validation.cases):
        return network
    bridges = [widened(network, torch.from_numpy(factors)) for factors in solved]
    chosen = choose(bridges, validation)
    if all(one == SILENT for one in chosen):
        return network
    each, mixed = solved[0].shape[2] // len(chosen), solved[0].copy()
    for p, one in enumerate(chosen):
        columns = slice(p * each, (p + 1) * each)
        mixed[..., columns] = solved[one.bridge][..., columns]
    final = widened(network, torch.from_numpy(mixed))
    final.heads.usual.data[:, 0] = torch.tensor([one.loud for one in chosen])
    final.heads.usual.data[:, 1:] += torch.tensor([[one.trend] for one in chosen])
    return final


def bridge_factors(table: EventTable, size: int, inside: bool = False) -> F32 | None:
    """L and R of every target beside each other: float32 [2, N, K], or None without people.

    The N items are numbered over all platforms; each of P targets has K / P columns, in which
    only the items elsewhere have a row of L (with ``inside`` also its own), and only its own a
    row of R.
    """
    if not size:
        return None
    users, offsets = _users(table), table.item_offsets.tolist()
    each = size // max(1, len(offsets) - 1)
    made, some = np.zeros((2, offsets[-1], size), np.float32), False
    for p in range(len(offsets) - 1):
        here = np.zeros(offsets[-1], bool)
        here[offsets[p] : offsets[p + 1]] = True
        source = here | ~here if inside else ~here
        found = _factors(users[:, source], users[:, here], each)
        if found is not None:
            columns = slice(p * each, p * each + found[0].shape[1])
            made[0, source, columns], made[1, here, columns] = found
            some = True
    return made if some else None


def _users(table: EventTable) -> Any:
    """float64 sparse [U, N]: 1 where the person has an event on the item."""
    shape = (len(table.users), int(table.item_offsets[-1]))
    key = np.unique(table.user.astype(np.int64) * shape[1] + table.global_item)
    return sparse.csr_array((np.ones(len(key)), (key // shape[1], key % shape[1])), shape=shape)


def _factors(source: Any, target: Any, rank: int) -> tuple[F32, F32] | None:
    """L [items of the source, k] and R [the target's, k], the k strongest directions of W.

    Args:
        source: sparse [U, items that the target is told from].
        target: sparse [U, the target's items].
        rank: k at most.
    """
    both = np.flatnonzero((source.sum(axis=1) > 0) & (target.sum(axis=1) > 0))
    if len(both) < _FEWEST:
        return None
    rng = np.random.default_rng(0)
    both = np.sort(rng.permutation(both)[:_PEOPLE])
    x, y = source[both], target[both]
    gram = (x @ x.T).toarray()  # [n, n]
    gram += _PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram))
    solved = linalg.cho_factor(gram, overwrite_a=True)
    # W is never made: its strongest directions by subspace iteration from a random start
    # (Halko, Martinsson & Tropp, SIAM Review 2011).
    right = rng.standard_normal((y.shape[1], min(rank + _MORE, x.shape[1], y.shape[1])))
    for _ in range(_ROUNDS):
        left = x.T @ linalg.cho_solve(solved, y @ right)  # [items of the source, r]
        left, _ = np.linalg.qr(left)
        right = y.T @ linalg.cho_solve(solved, x @ left)  # [the target's items, r]
    turned, strength, right = np.linalg.svd(right.T, full_matrices=False)  # W = left right'
    k = min(rank, int((strength > 0).sum()))
    left, right = left @ turned[:, :k], (strength[:k, None] * right[:k]).T
    return left.astype(np.float32), right.astype(np.float32)


def widened(network: Network, factors: torch.Tensor) -> Network:
    """The same network with K more numbers in its state, which hold the bridge, yet silent.

    Args:
        network: one without titles of its own in the state.
        factors: float32 [2, N, K].
    """
    config = replace(network.config, title_dim=factors.shape[2])
    old = network.items
    items = Items(config, old.platform, old.titles, old.recent, factors)
    made = Network(config, network.platforms, items, network.drop.share)
    weights = made.state_dict() | network.state_dict()
    made.load_state_dict(
        weights
        | {
            "items.bridge": factors,
            "heads.titles": torch.ones_like(made.heads.titles),
            "heads.weight": _same_for_all(network, config),
            "cell.keep": torch.full_like(made.cell.keep, float(np.log(_KEPT / (1 - _KEPT)))),
            "cell.loud": torch.ones_like(made.cell.loud),
        }
    )
    made.heads.usual.data[:, 0] = 0.0
    return made.eval()


def _same_for_all(network: Network, config: ModelConfig) -> torch.Tensor:
    """The heads' weights without what would make the bridge louder for one than for another.

    Nothing has trained these columns: the sum that they weigh was empty.
    """
    weight = network.heads.weight.detach().clone().unflatten(1, (len(network.platforms), -1))
    weight[:, :, config.dim] = 0.0
    joined: torch.Tensor = weight.flatten(1)
    return joined
