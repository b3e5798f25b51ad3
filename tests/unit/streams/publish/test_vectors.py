"""Vectors to publish: whose, for whom, from how much."""

from __future__ import annotations

import numpy as np

from streams.effects.effects import CallTimes
from streams.publish.vectors import Addressees, make_vectors
from streams.windows.layout import Layout
from streams.windows.slab import Slab
from tests.unit.streams.toy import PLATFORMS, START_MS, S, ToyModel


def users() -> Slab:
    slab = Slab(Layout(len(PLATFORMS), S, 4), 7, 8)
    for number, key in enumerate(["u/ann", "l/shop/c-1"]):
        row = slab.insert(key, 3 + number, None)
        slab.rows["current"][row] = np.arange(S) / 8 + number
        slab.rows["counts"][row] = [3, 1, 0] if number == 0 else [0, 2, 0]
        slab.newest_ms[row] = START_MS + number
    return slab


def test_each_recipient_gets_its_targets_vector_of_its_user() -> None:
    slab, times = users(), CallTimes()
    rows = [1, 0, 0, 0]
    to = Addressees(rows, [1, 0, 2, 1], ["c-1", "ann", "ann", "c-9"])
    source_ms = np.array([777, 0])
    made = make_vectors(slab, ToyModel(), to, source_ms, times)
    interests = ToyModel().migrate(slab.rows["current"][:2])
    assert len(made) == 4
    assert made.targets == [1, 0, 2, 1]
    assert made.ids == ["c-1", "ann", "ann", "c-9"]
    assert made.users == ["c-1", "ann", "ann", "ann"]
    for got, row, target in zip(made.vectors, rows, made.targets, strict=True):
        np.testing.assert_array_equal(got, interests[row, target])
    assert made.as_of_ms.tolist() == [START_MS + 1, START_MS, START_MS, START_MS]
    assert made.events.tolist() == [2, 4, 4, 4]
    assert made.source_ms.tolist() == [0, 777, 777, 777]
    assert made.partitions.tolist() == [4, 3, 3, 3]
    np.testing.assert_allclose(made.shares, [[0, 1, 0]] + 3 * [[0.75, 0.25, 0]])
    assert times.sizes == [2]  # each user is migrated once, whoever asks


def test_the_shares_of_any_counts_sum_to_one() -> None:
    slab = users()
    slab.rows["counts"][0] = [2**32 - 1, 1, 12345]
    to = Addressees([0], [0], ["ann"])
    made = make_vectors(slab, ToyModel(), to, np.zeros(1, np.int64), CallTimes())
    assert abs(float(made.shares.sum()) - 1.0) < 1e-6
    assert made.events.tolist() == [2**32 + 12345]
