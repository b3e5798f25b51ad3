"""Nearest items and people."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines.neighbours import ItemKnn, UserKnn
from tests.unit.models.baselines.films import scores


def test_item_knn_is_a_shrunk_cosine_of_users() -> None:
    """Of three users of the space film, two took its book, which has two."""
    got = scores(ItemKnn(shrink=1.0, decay=1.0))
    assert got == pytest.approx([2 / (np.sqrt(3 * 2) + 1), 0, 0])
    assert scores(ItemKnn(shrink=1.0, decay=0.5))[0] == pytest.approx(got[0] / 2)


def test_user_knn_votes_with_similarity_and_without_oneself() -> None:
    """Bob and cat share one of their two items with ann."""
    assert scores(UserKnn(decay=1.0)) == pytest.approx([2 / np.sqrt(2), 0, 0])
    nearest_only = scores(UserKnn(neighbours=1, decay=1.0))
    assert nearest_only[0] > 0
    assert nearest_only[2] == 0
