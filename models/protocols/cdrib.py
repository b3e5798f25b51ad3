"""The protocol ``cdrib``: the split that a dataset prescribes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.data.table import TEST, TRAIN, VALIDATION, EventTable, Int32, Int64
from models.errors import ModelError
from models.protocols.candidates import NEGATIVES, draw_candidates
from models.protocols.cases import Cases, Split


def cdrib(table: EventTable, seed: int = 0, negatives: int = NEGATIVES) -> Split:
    """The split that the dataset prescribes, as CDRIB (ICDE 2022) is measured.

    The history is the user's training events. Candidates: those that the dataset lists,
    otherwise ``negatives`` items of the target that aren't among the user's items of the
    same part (test items for a test case). Where the dataset has no validation part, one
    random training event of each user and platform with at least three is taken for it, and
    is part of the history of the test cases; the same one for every ``seed``, so that no bundle
    has trained on what another seed validates on.

    Raises:
        ModelError: the dataset prescribes no split.
    """
    if table.part is None:
        raise ModelError("the dataset prescribes no split; use the protocol abxi or temporal")
    rng = np.random.default_rng(seed)
    given = bool((table.part == VALIDATION).any())
    if not given:
        table = replace(table, part=_with_validation(table, np.random.default_rng(0)))
    assert table.part is not None
    table = table.select(np.lexsort((table.part, table.user)))
    validation = _part_cases(table, VALIDATION, TRAIN, rng, negatives)
    test = _part_cases(table, TEST, TRAIN if given else VALIDATION, rng, negatives)
    assert table.part is not None
    return Split("cdrib", table, table.part == TRAIN, validation, test)


def _with_validation(table: EventTable, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """The table's parts, with one training event in each large enough pair made validation."""
    assert table.part is not None
    part = table.part.copy()
    pair = table.user.astype(np.int64) * len(table.platforms) + table.platform
    rows = rng.permutation(np.flatnonzero(part == TRAIN))
    _, first, counts = np.unique(pair[rows], return_index=True, return_counts=True)
    part[rows[first[counts >= 3]]] = VALIDATION
    return part


def _part_cases(
    table: EventTable, part: int, history: int, rng: np.random.Generator, negatives: int
) -> Cases:
    """Cases of one part; the history is the user's rows of the parts up to ``history``."""
    assert table.part is not None
    row = np.flatnonzero(table.part == part)
    starts = table.user_starts
    known = np.concatenate([[0], np.cumsum(table.part <= history)])
    length = known[starts[1:]] - known[starts[:-1]]
    user = table.user[row]
    candidates = _given_negatives(table, row)
    if candidates is None:
        width = negatives if table.negatives is None else table.negatives.shape[1]
        candidates = draw_candidates(table, row, table.part == part, rng, width)
    return Cases(row, starts[:-1][user], starts[:-1][user] + length[user], candidates)


def _given_negatives(table: EventTable, row: Int64) -> Int32 | None:
    """The event's own item and the prescribed negatives, None if not all cases have them."""
    if table.negatives is None or not (table.negatives[row] >= 0).any(axis=1).all():
        return None
    return np.concatenate([table.item[row][:, None], table.negatives[row]], axis=1)
