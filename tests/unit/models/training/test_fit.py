import numpy as np
import pytest
import torch

from models.config import Preset, preset
from models.items.trend import ALL_TIME
from models.protocols import split_for
from models.protocols.cases import Split
from models.training.fit import Trained, evaluate, fit
from models.training.infer import Validation, interests, output_vectors
from models.training.progress import Epoch, Progress
from tests.people import people_table

TINY = {"dim": 16, "hidden": 8, "text_dim": 12, "negatives": 32, "batch": 16}


@pytest.fixture(scope="module")
def split() -> Split:
    return split_for(people_table(), "abxi", 0)


def tiny(**changes: object) -> Preset:
    return preset("small", **(TINY | {"epochs": 10, "rate": 3e-3} | changes))


@pytest.fixture(scope="module")
def trained(split: Split) -> Trained:
    chosen = tiny()
    return fit(split, chosen.model, chosen.train)


def test_the_best_epoch_is_kept(split: Split, trained: Trained) -> None:
    assert trained.best.score == max(epoch.score for epoch in trained.epochs)
    again = evaluate(trained.network, Validation(split, split.validation, 64))
    assert again == trained.best.validation


def test_it_learns_what_people_like_where_titles_tell_nothing() -> None:
    wordless = split_for(people_table(users=120, titles=False), "abxi", 0)
    # No place for a bridge (``models.training.bridge``), which ranks without any training.
    untrained = tiny(epochs=1, rate=0.0, title_dim=0)
    chosen = tiny(epochs=16, patience=16, dropout=0.1, rate=0.01, title_dim=0)
    before = fit(wordless, untrained.model, untrained.train).best.score
    assert fit(wordless, chosen.model, chosen.train).best.score > before + 0.2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    split: Split, trained: Trained
) -> None:
    same, other = tiny(), tiny(seed=1)
    again = fit(split, same.model, same.train).network.state_dict()
    for name, weights in trained.network.state_dict().items():
        assert torch.equal(weights, again[name]), name
    different = fit(split, other.model, other.train).network.state_dict()
    assert not torch.equal(different["items.ids"], again["items.ids"])


def test_it_stops_when_validation_gets_no_better(split: Split) -> None:
    chosen = tiny(epochs=9, rate=0.0, patience=2)
    assert len(fit(split, chosen.model, chosen.train).epochs) == 3


def test_every_sequence_and_epoch_is_told(split: Split) -> None:
    chosen, batches, epochs = tiny(epochs=2), list[tuple[int, int, int]](), list[Epoch]()
    progress = Progress(lambda *at: batches.append(at), epochs.append)
    fit(split, chosen.model, chosen.train, progress=progress)
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert batches[-1][1] == batches[-1][2] == 60


def test_test_events_change_nothing(split: Split) -> None:
    chosen = tiny(epochs=1)
    one = fit(split, chosen.model, chosen.train).network.state_dict()
    table = split.table
    item = table.item.copy()
    item[split.test.row] = (item[split.test.row] + 7) % 40
    changed = Split(
        "abxi",
        type(table)(**{name: getattr(table, name) for name in table.__slots__} | {"item": item}),
        split.train,
        split.validation,
        split.test,
    )
    two = fit(changed, chosen.model, chosen.train).network.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_interests_are_of_the_history_alone(split: Split, trained: Trained) -> None:
    few = split.test.select(np.arange(5))
    vectors = interests(trained.network, split.table, few, 64)
    assert vectors.shape == (5, trained.network.config.vector_dim)
    alone = [
        interests(trained.network, split.table, few.select(np.array([at])), 64)[0]
        for at in range(5)
    ]
    assert np.allclose(vectors, alone, atol=1e-2)
    lengths = np.linalg.norm(output_vectors(trained.network, split.table, 1)[:, :16], axis=1)
    assert np.allclose(lengths, 1.0, atol=1e-5)


def test_single_events_without_times_or_titles_are_no_obstacle() -> None:
    table = people_table(users=40, events=3, titles=False)
    bare = table.select(np.sort(np.concatenate([np.arange(0, 60), np.arange(60, 120, 3)])))
    bare = type(table)(
        **{name: getattr(bare, name) for name in table.__slots__}
        | {"time_ms": np.zeros(len(bare), np.int64)}
    )
    chosen = tiny(epochs=1, batch=4)
    found = fit(split_for(bare, "abxi", 0), chosen.model, chosen.train)
    assert np.isfinite(found.best.score)
    # Numbers that titles don't take are the bridge's, or aren't there.
    assert (found.network.config.title_dim > 0) == (found.network.items.bridge is not None)
    assert found.network.contract.trend_days == (ALL_TIME,)
