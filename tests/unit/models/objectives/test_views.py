import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.sequences import Batch, Inputs, Sequences
from models.objectives.views import keep_events, pairs_of, presence
from tests.people import people_table


def batch_of(seed: int = 0, users: int = 12) -> Batch:
    table = people_table(users=users, events=8, seed=seed)
    (batch,) = Sequences.of(table, 16).batches(users, np.random.default_rng(seed))
    return batch


def told(inputs: Inputs) -> torch.Tensor:
    """Features that say what was seen: the items' sum and the last event's item, by platform."""
    item = torch.from_numpy(np.maximum(inputs.item, 0)).float()
    return torch.stack([item.cumsum(1), item, torch.from_numpy(inputs.platform).float()], dim=-1)


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_kept_events_stay_in_order_with_the_time_between_them(seed: int) -> None:
    inputs = batch_of(seed).inputs
    keep = np.random.default_rng(seed).random(inputs.item.shape) < 0.5
    kept, length = keep_events(inputs, keep)
    passed = np.cumsum(inputs.dt.astype(np.float64), axis=1)
    for row in range(len(keep)):
        some = keep[row]
        assert kept.item[row, : length[row]].tolist() == inputs.item[row][some].tolist()
        assert (kept.item[row, length[row] :] == -1).all()
        apart = np.diff(passed[row][some], prepend=passed[row][some][:1])
        assert np.allclose(kept.dt[row, : length[row]], apart, rtol=1e-5)


def test_pairs_divide_a_person_by_exactly_one_platform() -> None:
    batch = batch_of()
    pairs = pairs_of(batch, told, np.random.default_rng(0))
    assert pairs is not None
    rows = np.flatnonzero((presence(batch.inputs, 2) > 0).sum(axis=1) > 1)
    real, here = batch.item >= 0, batch.platform
    for at, row in enumerate(rows):
        p = int(pairs.platform[at])
        only, without = real[row] & (here[row] == p), real[row] & (here[row] != p)
        assert pairs.only[at].tolist() == [
            batch.item[row][only].sum(), batch.item[row][only][-1], p
        ]  # fmt: skip
        assert pairs.without[at].tolist() == [
            batch.item[row][without].sum(), batch.item[row][without][-1], 1 - p
        ]  # fmt: skip
        assert pairs.shares[at].tolist() == [float(p == 1), float(p == 0)]


def test_people_on_one_platform_make_no_pairs() -> None:
    table = people_table(users=6)
    alone = table.select(table.platform == 0)
    (batch,) = Sequences.of(alone, 16).batches(6, np.random.default_rng(0))
    assert pairs_of(batch, told, np.random.default_rng(0)) is None
