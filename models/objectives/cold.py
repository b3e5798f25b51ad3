"""Cold views: histories with one platform hidden, which predict only that one.

It is what serving does for people whom the target has never seen, so it is trained as such:
their state is made of events elsewhere alone. Masked views of a history as in BERT4Rec's cloze
task (Sun et al., CIKM 2019), with a whole platform for the mask.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from torch import Tensor

from models.data.sequences import Pass
from models.objectives.base import Bool, Objective, Seen

# A sequence that can hide a platform does so in at most half of the passes; more views of that
# kind come in addition.
_MOST_INSTEAD: Final = 0.5


class ColdViews(Objective):
    """A share of a pass's sequences is shown with one platform hidden.

    Args:
        share: of all sequences.
    """

    def __init__(self, share: float) -> None:
        super().__init__(weight=1.0)
        self.share = share

    def show(self, shown: Pass, mixed: Bool, rng: np.random.Generator) -> Pass:
        """Hide a platform in some of the sequences shown, and show some again for it."""
        views, count = cold_views(mixed, self.share, rng), len(mixed)
        hides = shown.hides | views.hides[shown.sequence]  # [n]
        return Pass(
            np.append(shown.sequence, views.sequence[count:]), np.append(hides, views.hides[count:])
        )

    def loss(self, seen: Seen) -> Tensor:
        """Share of the cold views' predictions in the batch's mean loss."""
        return seen.predictions(cold=True)


def cold_views(mixed: Bool, share: float, rng: np.random.Generator) -> Pass:
    """Numbers of the sequences of a pass, and which of them hide a platform.

    Only sequences of several platforms can. Where they are few, they come again for
    it: otherwise hardly anything would train what happens to people new to a target.
    """
    every, able = np.arange(len(mixed)), np.flatnonzero(mixed)
    rate = share * len(every) / max(1, len(able))
    instead = min(rate, max(share, _MOST_INSTEAD))
    hides = mixed & (rng.random(len(every)) < instead)
    times = np.floor(rate - instead + rng.random(len(able))).astype(np.int64)
    repeated = np.repeat(able, times)
    return Pass(np.append(every, repeated), np.append(hides, np.ones(len(repeated), bool)))
