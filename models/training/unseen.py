"""Items that training never saw: their titles in place of what sampling made of their rows.

As negatives, such items are only ever pushed down, so their own rows say nothing but that.
Without the id's vector the title speaks; how far below the platform's usual item it should
then stand depends on how often people take to new items, and is chosen on validation.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.recurrence.network import Network
from models.training.infer import Validation, figures, rank

# How much lower than the median item, in nats; None leaves the rows as they are.
LOWERED: Final = (None, 0.0, 1.0, 2.0)


@torch.no_grad()
def settle_unseen(network: Network, validation: Validation) -> dict[str, float]:
    """Replace the rows of unseen items where validation gets better by it.

    Args:
        network: trained, in evaluation mode; changed in place.
        validation: what it is judged by.

    Returns:
        Platform -> the chosen distance below its median item, for those that were changed.
    """
    split = validation.split
    counts = np.bincount(split.table.global_item[split.train], minlength=len(network.items.bias))
    unseen = torch.from_numpy(counts == 0)
    chosen = {}
    for p, name in enumerate(network.platforms):
        here = network.items.platform == p
        mine = validation.of(p)
        rows, known = torch.nonzero(here & unseen).squeeze(1), here & ~unseen
        if len(rows) and bool(known.any()) and len(mine.cases):
            usual = network.items.bias[known].median()
            best = _choose(network, mine, rows, usual)
            if best is not None:
                chosen[name] = best
    return chosen


def _choose(network: Network, validation: Validation, rows: Tensor, usual: Tensor) -> float | None:
    ids, bias = network.items.ids, network.items.bias
    kept = ids[rows].clone(), bias[rows].clone()

    def put(lowered: float | None) -> None:
        ids[rows] = kept[0] if lowered is None else torch.zeros(())
        bias[rows] = kept[1] if lowered is None else usual - lowered

    def quality(lowered: float | None) -> float:
        put(lowered)
        return figures(rank(network, validation))["ndcg@10"]

    best = max(LOWERED, key=quality)
    put(best)
    return best
