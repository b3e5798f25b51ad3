"""The bridge: the ridge regression from elsewhere to a target, exactly, in the state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.pipeline import export_bundle
from models.config import preset
from models.data.table import EventTable, ItemList
from models.evaluation.served import ServedBundle
from models.growth.new_platform import grow
from models.items.encoders import HashedEncoder
from models.protocols.cases import Split
from models.training.bridge import add_bridge, bridge_factors, solve_bridges, widened
from models.training.bridge_choice import LOUDNESS
from models.training.checkpoint import Checkpoint
from models.training.fit import evaluate, fit, train_best, validation_of
from models.training.infer import Validation
from models.training.progress import Progress
from tests.unit.models.on_both import ITEMS, SIZES, network_of, split_on_both


@pytest.fixture(scope="module")
def split() -> Split:
    return split_on_both()


def ridge_scores(table: EventTable, target: int, history: np.ndarray, inside: bool) -> np.ndarray:
    """The regression as a textbook has it: all items of both platforms, dense."""
    first, last = table.item_offsets[target : target + 2]
    users = np.zeros((len(table.users), int(table.item_offsets[-1])))
    users[table.user, table.global_item] = 1.0
    here = np.arange(users.shape[1])
    here = (here >= first) & (here < last)
    source = here | ~here if inside else ~here
    both = (users[:, here].sum(1) > 0) & (users[:, source].sum(1) > 0)
    x, y = users[both][:, source], users[both][:, here]
    penalty = 20.0 * np.trace(x @ x.T) / len(x)
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return history[:, source] @ weights


@pytest.mark.parametrize("inside", [False, True])
def test_with_enough_directions_it_is_the_ridge_regression(split: Split, inside: bool) -> None:
    factors = bridge_factors(split.training, 2 * ITEMS, inside)
    assert factors is not None
    rng = np.random.default_rng(0)
    history = (rng.random((5, 2 * ITEMS)) < 0.1).astype(float)
    for target in range(2):
        here = slice(target * ITEMS, (target + 1) * ITEMS)
        columns = slice(target * ITEMS, (target + 1) * ITEMS)  # K / P for each target
        scores = history @ factors[0][:, columns] @ factors[1][here, columns].T
        expected = ridge_scores(split.training, target, history, inside)
        assert np.allclose(scores, expected, atol=1e-5)


def test_of_few_directions_the_strongest_are_kept(split: Split) -> None:
    few, many = bridge_factors(split.training, 8), bridge_factors(split.training, 2 * ITEMS)
    assert few is not None
    assert many is not None
    whole = many[0][:ITEMS] @ many[1][ITEMS:].T
    left, values, right = np.linalg.svd(whole)
    best = (left[:, :4] * values[:4]) @ right[:4]
    assert np.allclose(few[0][:ITEMS] @ few[1][ITEMS:].T, best, atol=1e-5)


def test_a_silent_bridge_changes_nothing_else(split: Split) -> None:
    network = network_of(split)
    factors = bridge_factors(split.training, 64)
    assert factors is not None
    wider = widened(network, torch.from_numpy(factors))
    assert wider.config.state_size == network.config.state_size + 64
    before = evaluate(network, Validation(split, split.validation, 64))
    assert evaluate(wider, Validation(split, split.validation, 64)) == before


def test_it_ranks_for_people_whom_the_target_has_never_seen(split: Split) -> None:
    network = network_of(split)  # untrained: the bridge alone knows anything
    solved = solve_bridges(split.training, 64)
    made = add_bridge(network, solved, Validation(split, split.validation, 64))
    assert set(made.heads.usual[:, 0].tolist()) <= set(LOUDNESS)
    before = evaluate(network, Validation(split, split.validation, 64))
    after = evaluate(made, Validation(split, split.validation, 64))
    for target in ("film", "shop"):
        assert after[target]["ndcg@10"] > before[target]["ndcg@10"] + 0.2


def test_without_people_on_both_or_room_there_is_none(split: Split) -> None:
    network = network_of(split)
    alone = split.training.select(split.training.platform == 0)
    assert bridge_factors(alone, 64) is None
    assert bridge_factors(split.training, 0) is None
    assert solve_bridges(split.training, 0) == []
    assert add_bridge(network, [], Validation(split, split.validation, 64)) is network
    none, solved = split.validation.select(slice(0, 0)), solve_bridges(split.training, 64)
    assert add_bridge(network, solved, Validation(split, none, 64)) is network


def test_a_platform_that_comes_later_leaves_it_as_it_is(split: Split) -> None:
    factors = bridge_factors(split.training, 64)
    assert factors is not None
    network = widened(network_of(split), torch.from_numpy(factors))
    nothing = HashedEncoder.fit([], 16, 10).basis
    base = Checkpoint.of(split.table, network, nothing, exact=True, metrics={}, training={})
    three = split.training
    later = ItemList([str(item) for item in range(5)], [""] * 5, [""] * 5)
    three = replace(three, platforms=(*three.platforms, "radio"), items=(*three.items, later))
    grown = grow(base, three, 0.0)
    assert grown.items.bridge is not None
    assert torch.equal(grown.items.bridge[:, : 2 * ITEMS], torch.from_numpy(factors))
    assert not grown.items.bridge[:, 2 * ITEMS :].any()


def test_epochs_are_ranked_with_it_and_the_best_is_kept(split: Split) -> None:
    chosen = preset("small", epochs=3, batch=16, length=16, negatives=16, **SIZES)
    trained = fit(split, chosen.model, chosen.train)
    assert trained.best.score == max(epoch.score for epoch in trained.epochs)
    assert (
        evaluate(trained.network, Validation(split, split.validation, 16))
        == trained.best.validation
    )
    # After one epoch the network alone knows next to nothing.
    bare = train_best(
        network_of(split), validation_of(split, chosen.train), chosen.train, Progress()
    )
    assert trained.epochs[0].score > bare.epochs[0].score + 0.1


def test_a_bundle_serves_it(split: Split, tmp_path: Path) -> None:
    chosen = preset("small", epochs=1, batch=16, length=16, negatives=16, **SIZES)
    trained = fit(split, chosen.model, chosen.train)
    assert trained.network.items.bridge is not None
    checkpoint = Checkpoint.of(
        split.table, trained.network, trained.encoder.basis, exact=True, metrics={}, training={}
    )
    checkpoint.save(tmp_path / "it.pt")
    again = Checkpoint.load(tmp_path / "it.pt")
    export_bundle(again, tmp_path / "bundle")
    served = ServedBundle(tmp_path / "bundle")
    served.fit(split, 0)
    cases = split.validation.select(split.targets(split.validation) == 1)
    scores = served.scores(cases, 1)
    states = served.interests(cases, 1)
    with torch.no_grad():
        outputs = again.network.items.outputs(ITEMS + torch.arange(ITEMS)).numpy()
    assert np.allclose(scores, states @ outputs.T, atol=0.05)
    assert cases.candidates is not None
    drawn = np.take_along_axis(scores, cases.candidates.astype(np.int64), axis=1)
    first = (drawn[:, 1:] > drawn[:, :1]).sum(axis=1)
    assert float((first < 10).mean()) >= trained.best.validation["shop"]["hr@10"] - 0.02
