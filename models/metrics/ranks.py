"""Where an item ranks among candidates: one definition for offline and live evaluation.

Equal scores are no order. A rank is therefore a pair: how many candidates score higher, and
how many others score the same; metrics take the mean over all orders of the tied ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.table import EventTable
from models.errors import ModelError
from models.protocols.cases import Cases

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Floating = npt.NDArray[np.floating]


class Ranks(NamedTuple):
    """Ranks of n targets, each among its own candidates.

    Attributes:
        above: int64 [n], candidates with a higher score.
        tied: int64 [n], other candidates with exactly the target's score.
    """

    above: Int64
    tied: Int64

    @property
    def expected(self) -> npt.NDArray[np.float64]:
        """float64 [n]: mean rank over all orders of the tied ones, 0 is the best."""
        return self.above + self.tied / 2


def rank_scores(
    scores: Floating, target: Int64 | int, valid: npt.NDArray[np.bool_] | None = None
) -> Ranks:
    """Rank one candidate of each row.

    Args:
        scores: [n, C], higher is better.
        target: position of the target among the candidates, one for all or int64 [n].
        valid: bool [n, C], candidates that take part; None means all. The target always
            takes part.

    Raises:
        ModelError: a score is NaN.
    """
    if np.isnan(scores).any():
        raise ModelError("a score is NaN, so nothing can be ranked; check the model's outputs")
    rows = np.arange(len(scores))
    own = scores[rows, target][:, None]
    higher, same = scores > own, scores == own
    if valid is not None:
        higher, same = higher & valid, same & valid
    same[rows, target] = False
    return Ranks(higher.sum(axis=1), same.sum(axis=1))


class Contest(NamedTuple):
    """Scores of the candidates of n cases.

    Attributes:
        scores: [n, C].
        target: position of the case's own item, one for all or int64 [n].
        valid: bool [n, C], candidates that take part; the target takes part anyway.
    """

    scores: Floating
    target: Int64 | int
    valid: npt.NDArray[np.bool_]


def contest(scores: Floating, cases: Cases, table: EventTable) -> Contest:
    """Each case's candidates, from scores [n, N] of every item of their one target platform."""
    if cases.candidates is not None:
        chosen = np.take_along_axis(scores, np.maximum(cases.candidates, 0), axis=1)
        return Contest(chosen, 0, cases.candidates >= 0)
    valid = open_items(cases, table, scores.shape[1])
    return Contest(scores, table.item[cases.row].astype(np.int64), valid)


def rank_cases(scores: Floating, cases: Cases, table: EventTable) -> Ranks:
    """Rank each case's item among the case's candidates.

    Args:
        scores: [n, N], of every item of the cases' one target platform.
        cases: n cases of that platform.
        table: what the cases' rows mean.

    Raises:
        ModelError: a score is NaN.
    """
    return rank_scores(*contest(scores, cases, table))


def open_items(cases: Cases, table: EventTable, items: int) -> npt.NDArray[np.bool_]:
    """bool [n, items]: the target's items that exist and aren't in each case's history."""
    valid = ~history_mask(cases, table, items)
    if cases.appeared_ms is not None and len(cases):
        first = int(table.item_offsets[table.platform[cases.row[0]]])
        appeared = cases.appeared_ms[first : first + items]
        valid &= appeared <= table.time_ms[cases.row][:, None]
    return valid


def history_mask(cases: Cases, table: EventTable, items: int) -> npt.NDArray[np.bool_]:
    """bool [n, items]: the target's items that are in each case's history."""
    length = cases.end - cases.start
    case = np.repeat(np.arange(len(cases)), length)
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    row = np.repeat(cases.start, length) + within
    same = table.platform[row] == np.repeat(table.platform[cases.row], length)
    mask = np.zeros((len(cases), items), bool)
    mask[case[same], table.item[row[same]]] = True
    return mask
