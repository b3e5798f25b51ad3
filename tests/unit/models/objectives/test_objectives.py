"""What each objective's gradient does, and that one that is off isn't there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.config import preset
from models.data.sequences import Batch, Pass
from models.items.encoders import HashedEncoder
from models.objectives import ColdViews, Confusion, Contrast, VirtualStates, objectives_of
from models.objectives.cold import cold_views
from models.objectives.confusion import Reversal
from models.objectives.contrast import directions, info_nce
from models.objectives.virtual import WARM_UP, Generator, newcomers
from models.protocols.holdout import split_for
from models.recurrence.network import Network
from models.training.prepare import fitting, make_network, titles_of
from models.training.trainer import Trainer
from tests.people import people_table

OFF = {"cold": 0.0, "contrast": 0.0, "confusion": 0.0, "virtual": 0.0}


def trainer(**weights: float) -> Trainer:
    chosen = preset(
        "small", dim=16, hidden=8, text_dim=12, negatives=32, batch=24, dropout=0.0,
        **(OFF | weights),
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


def gradient(of: Tensor) -> Tensor:
    assert of.grad is not None
    return of.grad


def grown(made: Trainer) -> list[str]:
    return [name for one in made.objectives for name, _ in one.named_parameters()]


def test_an_objective_without_a_weight_is_not_there() -> None:
    made = trainer()
    assert len(made.objectives) == 0
    batch = a_batch(made)
    seen = made.see(batch)
    assert value(seen.predictions(cold=False)) == pytest.approx(value(seen.losses.mean()))
    kinds = [
        type(one) for one in trainer(cold=0.2, contrast=0.1, confusion=0.1, virtual=0.1).objectives
    ]
    assert kinds == [ColdViews, Contrast, Confusion, VirtualStates]


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


def agreement(made: Trainer, batch: Batch) -> tuple[float, float]:
    """Mean cosine of both halves of a person, and of halves of different people."""
    with torch.no_grad():
        pairs = made.see(batch).pairs()
        assert pairs is not None
        heads = made.network.heads
        left = directions(heads, pairs.without, pairs.platform)
        right = directions(heads, pairs.only, pairs.platform)
    table = left @ right.T
    same = pairs.platform.unsqueeze(1) == pairs.platform
    own = torch.eye(len(table), dtype=torch.bool)
    return float(table[own].mean()), float(table[same & ~own].mean())


def test_contrast_pulls_a_persons_platforms_together_and_others_apart() -> None:
    made = trainer(contrast=1.0)
    batch = a_batch(made)
    made.rng = np.random.default_rng(0)
    before = agreement(made, batch)
    optimiser = torch.optim.Adam(made.network.parameters(), lr=3e-3)
    for _ in range(30):
        optimiser.zero_grad()
        made.objectives[0].loss(made.see(batch)).backward()
        optimiser.step()
    after = agreement(made, batch)
    assert after[0] - after[1] > before[0] - before[1] + 0.2


def test_info_nce_is_least_for_pairs_and_looks_only_inside_a_group() -> None:
    unit = F.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    group = torch.tensor([0, 0, 0, 1, 1, 1])
    assert info_nce(unit, unit, group) < info_nce(unit, unit.roll(1, 0), group)
    alone = torch.arange(6)
    assert info_nce(unit, unit.roll(1, 0), alone) == 0.0


def test_the_reversal_flips_the_gradients_sign() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    weight = torch.randn(3, 4)
    passed = Reversal.apply(x)
    assert torch.equal(passed, x)
    (passed * weight).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, -weight)


def test_the_adversary_learns_and_the_features_unlearn_the_platform() -> None:
    made = trainer(confusion=1.0)
    seen = made.see(a_batch(made))
    objective = made.objectives[0]
    assert isinstance(objective, Confusion)
    loss = objective.loss(seen)
    loss.backward()
    pairs = seen.pairs()
    assert pairs is not None

    def told(step: float, parameters: list[Tensor]) -> float:
        """The same pairs' loss after a step against the gradients of some parameters."""
        with torch.no_grad():
            for one in parameters:
                one.sub_(step * gradient(one))
            again = float(objective.loss(seen))
            for one in parameters:
                one.add_(step * gradient(one))
        return again

    assert told(1e-2, list(objective.adversary.parameters())) < value(loss)
    # Against what the network is told, the adversary's loss rises.
    features = torch.cat([pairs.without, pairs.only])[:, : objective.dim].detach()
    features.requires_grad_()
    labels = torch.cat([pairs.shares, F.one_hot(pairs.platform, 2).float()])
    F.cross_entropy(objective.adversary(Reversal.apply(features)), labels).backward()
    moved = features.detach() - 0.1 * gradient(features)
    assert value(F.cross_entropy(objective.adversary(moved), labels)) > value(loss)


def test_generated_states_come_nearer_to_the_real_ones() -> None:
    torch.manual_seed(0)
    given = torch.randn(256, 8)
    turn = torch.linalg.qr(torch.randn(8, 8)).Q
    platform = torch.randint(2, (256,))
    real = torch.where(platform.unsqueeze(1) == 1, given @ turn, -given)
    generator = Generator(8, 2)

    def away() -> float:
        return float((generator.draw(given, platform) - real).square().mean())

    before = away()
    optimiser = torch.optim.Adam(generator.parameters(), lr=3e-3)
    for _ in range(300):
        optimiser.zero_grad()
        generator.loss(real, given, platform).backward()
        optimiser.step()
    assert away() < 0.35 * before
    other = generator.draw(given.roll(1, 0), platform)
    assert away() < 0.5 * float((other - real).square().mean()), "what is given counts"


def test_newcomers_have_not_met_the_platform_yet() -> None:
    made = trainer()
    batch = a_batch(made)
    row, event, target = newcomers(batch, np.random.default_rng(0))
    assert len(row)
    for at in range(len(row)):
        seen = slice(0, event[at] + 1)
        assert (batch.item[row[at], seen] >= 0).all()
        assert target[at] not in batch.platform[row[at], seen]
    pairs = set(zip(row.tolist(), target.tolist(), strict=True))
    assert len(pairs) == len(row)
    for person in range(len(batch.item)):
        first = int(batch.platform[person, 0])
        assert (person, first) not in pairs
        assert (person, 1 - first) in pairs


def test_virtual_states_teach_the_model_after_the_generator_has_learned() -> None:
    made = trainer(virtual=1.0)
    seen = made.see(a_batch(made))
    objective = made.objectives[0]
    assert isinstance(objective, VirtualStates)
    early = objective.loss(seen)
    early.backward(retain_graph=True)
    assert all(one.grad is None for one in made.network.parameters())
    objective.batches = WARM_UP
    objective.zero_grad()
    objective.loss(seen).backward()
    assert made.network.heads.weight.grad is not None
    assert float(made.network.heads.weight.grad.abs().sum()) > 0.0


def test_every_objective_trains_and_none_changes_what_is_exported() -> None:
    plain, made = trainer(), trainer(cold=0.2, contrast=0.1, confusion=0.1, virtual=0.1)
    made.epoch()
    assert isinstance(made.averaged, Network)
    assert set(made.averaged.state_dict()) == set(plain.averaged.state_dict())
    assert made.network.contract == plain.network.contract
    assert any("adversary" in name for name in grown(made))
    optimised = {id(p) for group in made.optimiser.param_groups for p in group["params"]}
    assert {id(p) for one in made.objectives for p in one.parameters()} <= optimised


def test_one_platform_alone_is_no_obstacle() -> None:
    made = trainer(cold=0.2, contrast=0.1, confusion=0.1, virtual=0.1)
    table = made.table.select(made.table.platform == 0)
    network = made.network
    config = replace(made.config, batch=8)
    alone = Trainer(network, table, config)
    assert np.isfinite(alone.epoch())
    assert len(objectives_of(network, config)) == 4
