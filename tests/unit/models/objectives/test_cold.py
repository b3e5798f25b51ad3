"""Cold views, and that an objective that is off isn't there."""

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor

from models.config import preset
from models.data.sequences import Batch, Pass
from models.items.encoders import HashedEncoder
from models.objectives import ColdViews, objectives_of
from models.objectives.cold import cold_views
from models.protocols import split_for
from models.training.prepare import fitting, make_network, titles_of
from models.training.trainer import Trainer
from tests.people import people_table


def trainer(cold: float = 0.0) -> Trainer:
    chosen = preset(
        "small", dim=16, hidden=8, text_dim=12, negatives=32, batch=24, dropout=0.0, cold=cold,
    )  # fmt: skip
    split = split_for(people_table(), "abxi", 0)
    model = fitting(chosen.model, split.table)
    encoder = HashedEncoder.fit(titles_of(split.table.items), model.text_dim, model.tokens, 0)
    network = make_network(model, split.training, encoder, chosen.train.dropout, 0)
    return Trainer(network, split.training, chosen.train)


def a_batch(made: Trainer) -> Batch:
    return next(iter(made.sequences.batches(24, np.random.default_rng(0))))


def value(loss: Tensor) -> float:
    return float(loss.detach())


def test_an_objective_without_a_weight_is_not_there() -> None:
    made = trainer()
    assert len(made.objectives) == 0
    batch = a_batch(made)
    seen = made.see(batch)
    assert value(seen.predictions(cold=False)) == pytest.approx(value(seen.losses.mean()))
    assert [type(one) for one in trainer(cold=0.2).objectives] == [ColdViews]


def test_plain_and_cold_predictions_sum_to_the_mean_loss() -> None:
    made = trainer(cold=0.5)
    shown = made.objectives[0].show(made.sequences.whole, made.sequences.mixed, made.rng)
    batch = next(iter(made.sequences.batches(40, made.rng, shown)))
    assert batch.cold.any()
    seen = made.see(batch)
    parts = seen.predictions(cold=False) + made.objectives[0].loss(seen)
    assert value(parts) == pytest.approx(value(seen.losses.mean()), rel=1e-5)


def test_a_cold_view_hides_exactly_one_platform_and_predicts_only_that() -> None:
    made = trainer(cold=1.0)
    rng = np.random.default_rng(0)
    shown = cold_views(made.sequences.mixed, 1.0, rng)
    for batch in made.sequences.batches(16, rng, shown):
        for row in np.flatnonzero(batch.cold):
            there = set(batch.platform[row][batch.item[row] >= 0].tolist())
            wanted = {p for p in range(2) if (batch.target[row, :, p] >= 0).any()}
            assert len(there) == 1
            assert wanted <= {0, 1} - there


def test_hidden_platforms_come_beside_what_was_shown_before() -> None:
    mixed = np.array([False, True, False, True])
    before = Pass(np.array([3, 0, 0, 1, 2]), np.array([True, False, False, False, False]))
    none = ColdViews(0.0).show(before, mixed, np.random.default_rng(0))
    assert none.sequence.tolist() == before.sequence.tolist()
    assert none.hides.tolist() == before.hides.tolist()
    every = ColdViews(1.0).show(before, mixed, np.random.default_rng(0))
    assert every.sequence[:5].tolist() == before.sequence.tolist()
    assert every.hides[:5].tolist() == [True, False, False, True, False]
    assert set(every.sequence[5:].tolist()) <= {1, 3}
    assert every.hides[5:].all()


def test_one_platform_alone_is_no_obstacle() -> None:
    made = trainer(cold=0.2)
    table = made.table.select(made.table.platform == 0)
    network = made.network
    config = replace(made.config, batch=8)
    alone = Trainer(network, table, config)
    assert np.isfinite(alone.epoch())
    assert len(objectives_of(config)) == 1
