"""Labels: shares that sum to one, the same after a round trip, and refused if damaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.labels import OTHER, Labels, from_parts, to_parts


def labels(names: tuple[str, ...] = ("jazz", "river", "garden"), width: int = 4) -> Labels:
    rng = np.random.default_rng(len(names))
    weight = rng.standard_normal((width, len(names))).astype(np.float32)
    return Labels(names, weight, rng.standard_normal(len(names)).astype(np.float32))


@given(st.integers(1, 5), st.integers(0, 50), st.floats(0.1, 1e4))
def test_shares_sum_to_one_and_the_largest_come_first(count: int, seed: int, size: float) -> None:
    vectors = np.random.default_rng(seed).standard_normal((6, 4)).astype(np.float32) * size
    found = labels()
    shares = found.shares(vectors.astype(np.float32))
    assert np.isfinite(shares).all()
    assert shares.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    for row, named in enumerate(found.top(vectors, count)):
        assert sum(named.values()) == pytest.approx(1.0, abs=1e-9)
        assert all(0 <= share <= 1 for share in named.values())
        best = found.names[int(shares[row].argmax())]
        assert max(named, key=lambda name: (name != OTHER, named[name])) == best
        assert len([name for name in named if name != OTHER]) <= count


def test_the_rest_goes_to_other_also_where_a_label_has_that_name() -> None:
    found = labels(("jazz", OTHER, "river", "garden"))
    for named in found.top(np.zeros((3, 4), np.float32), 2):
        assert sum(named.values()) == pytest.approx(1.0)
    alone = Labels(("jazz",), np.zeros((2, 1), np.float32), np.zeros(1, np.float32))
    assert alone.top(np.zeros((1, 2), np.float32), 5) == [{"jazz": 1.0}]
    assert found.top(np.zeros((0, 4), np.float32), 2) == []


def test_a_round_trip_and_what_does_not_fit() -> None:
    shop = replace(labels(), items=np.array([2, -1, 0], np.int16))
    header, arrays = to_parts({"shop": shop, "video": labels(("a", "b"))})
    again = from_parts(header, arrays)
    assert again["video"].names == ("a", "b")
    assert again["shop"].items.tolist() == [2, -1, 0]
    np.testing.assert_allclose(again["shop"].weight, labels().weight, atol=2e-3)
    with pytest.raises(ValueError, match="kind is 'softmax-labels/1 '"):
        from_parts(header.replace("labels/1", "labels/1 "), arrays)
    with pytest.raises(ValueError, match="labels of 'video': 2 names"):
        from_parts(header, arrays | {"bias_1": np.zeros(3)})
