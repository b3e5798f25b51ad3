"""Where an item ranks: ties, itself, a sample of a large catalogue."""

from __future__ import annotations

import numpy as np

from streams.quality.ranking import Candidates, rank_of
from tests.unit.streams.quality.ranked import Ranked
from tests.unit.streams.toy import S


def test_ties_count_half_and_an_item_does_not_rank_against_itself() -> None:
    scores = np.array([[3.0, 2.0, 2.0, 1.0, 2.0]])
    itself = np.array([[False, False, True, False, False]])
    assert rank_of(scores, np.array([2.0]), itself).tolist() == [3.0]


def test_of_a_large_catalogue_a_fixed_sample_ranks() -> None:
    items = Ranked(1, 500)
    some, again = Candidates(items, 100), Candidates(items, 100)
    assert len(some.rows) == 100
    assert (some.rows == again.rows).all()
    more = Ranked(1, 520)
    kept = len(set(Candidates(more, 100).rows.tolist()) & set(some.rows.tolist()))
    assert kept > 80  # another bundle with nearly the same items: nearly the same sample
    vectors = np.random.default_rng(2).normal(size=(3, S)).astype(np.float32)
    outside = np.array([r for r in range(500) if r not in set(some.rows.tolist())][:3])
    own = (vectors * items.vectors_out[outside]).sum(axis=1)
    others = vectors @ items.vectors_out[some.rows].astype(np.float32).T
    assert some.ranks(vectors, outside).tolist() == (1 + (others > own[:, None]).sum(1)).tolist()
