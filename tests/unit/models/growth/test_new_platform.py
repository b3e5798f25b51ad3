"""A platform is added: it learns, and nothing that was there changes by a bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.config import Preset, preset
from models.data.table import EventTable, ItemList, on_platforms
from models.errors import DataError, ModelError
from models.growth.frozen import OWN, whole
from models.growth.new_platform import aligned, fit_platform, grow, title_features
from models.protocols import last_out
from models.training.checkpoint import Checkpoint
from models.training.fit import Trained, fit
from tests.people import people_table

TINY = {"dim": 16, "hidden": 8, "text_dim": 12, "title_dim": 8, "negatives": 32}


def tiny(**changes: object) -> Preset:
    return preset("small", **(TINY | {"epochs": 3, "rate": 5e-3, "batch": 16} | changes))


@pytest.fixture(scope="module")
def table() -> EventTable:
    return people_table(users=80)


@pytest.fixture(scope="module")
def base(table: EventTable) -> Checkpoint:
    alone, chosen = on_platforms(table, ("video",)), tiny()
    trained = fit(last_out(alone), chosen.model, chosen.train)
    return Checkpoint.of(
        alone,
        trained.network,
        trained.encoder.basis,
        exact=True,
        metrics={},
        training={},
        labels=trained.labels,
    )


@pytest.fixture(scope="module")
def moved(table: EventTable, base: Checkpoint) -> EventTable:
    return aligned(on_platforms(table, ("shop", "video")), base, "shop")[0]


@pytest.fixture(scope="module")
def trained(moved: EventTable, base: Checkpoint) -> Trained:
    return fit_platform(base, last_out(moved), tiny(epochs=12, patience=12).train)


def named_items(table: EventTable) -> list[str]:
    rows = zip(table.platform.tolist(), table.item.tolist(), strict=True)
    return [table.items[p].ids[item] for p, item in rows]


def test_the_old_platforms_keep_their_codes_whatever_the_datas_order(
    table: EventTable, base: Checkpoint, moved: EventTable
) -> None:
    assert moved.platforms == ("video", "shop")
    assert named_items(table) == named_items(moved)
    assert moved.items[0] is base.catalogue[0]


def test_events_of_items_that_the_model_doesnt_know_are_left_out(
    table: EventTable, base: Checkpoint
) -> None:
    video = table.items[0]
    renamed = ItemList(["new", *video.ids[1:]], video.titles, video.categories)
    first = int(((table.platform == 0) & (table.item == 0)).sum())
    found, left_out = aligned(replace(table, items=(renamed, table.items[1])), base, "shop")
    assert left_out == first > 0
    assert len(found) == len(table) - first


@pytest.mark.parametrize(
    ("platforms", "name", "message"),
    [
        (("video", "shop"), "video", "in the model already"),
        (("video", "shop"), "news", "one is added at a time"),
        (("video",), "shop", "no platform 'shop'"),
    ],
)
def test_what_cant_be_added_is_refused(
    table: EventTable, base: Checkpoint, platforms: tuple[str, ...], name: str, message: str
) -> None:
    with pytest.raises((DataError, ModelError), match=message):
        aligned(on_platforms(table, platforms), base, name)


def test_nothing_that_was_there_changes_by_a_bit(base: Checkpoint, trained: Trained) -> None:
    before, after = base.network.state_dict(), trained.network.state_dict()
    assert before.keys() == after.keys()
    for key, known in before.items():
        size = known.shape[OWN[key]] if key in OWN else len(known) if known.dim() else 0
        kept = after[key].narrow(OWN.get(key, 0), 0, size) if known.dim() else after[key]
        assert torch.equal(kept, known), key
        assert key in OWN or after[key].shape == known.shape or key.startswith("items."), key


def test_the_new_platform_learns(trained: Trained) -> None:
    first, best = trained.epochs[0], trained.best
    assert set(best.validation) == {"shop"}
    assert best.loss < first.loss
    network = trained.network
    assert not torch.equal(network.cell.scale[:6], network.cell.scale[6:])
    assert bool(network.items.ids[40:].any())


def test_labels_are_those_of_the_new_platform_alone(base: Checkpoint, trained: Trained) -> None:
    assert set(base.labels) == {"video"}
    assert set(trained.labels) == {"shop"}


def test_old_people_get_the_same_vectors_to_the_bit(base: Checkpoint, trained: Trained) -> None:
    old, new = base.network, trained.network
    rng = torch.Generator().manual_seed(0)
    state = torch.zeros(9, old.config.state_size, dtype=torch.float16)
    states = [state, state]
    for at in range(30):
        rows = torch.randint(0, 40, (9,), generator=rng)
        platform, action = torch.zeros(9, dtype=torch.int64), torch.randint(6, (9,), generator=rng)
        dt = torch.full((9,), float(at) * 60)
        with torch.no_grad():
            items = [network.items.inputs(rows) for network in (old, new)]
            assert torch.equal(*items)
            states = [
                network.step(states[k], items[k], platform, action, dt)
                for k, network in enumerate((old, new))
            ]
            assert torch.equal(*states)
    with torch.no_grad():
        assert torch.equal(old.migrate(states[0])[:, 0], new.migrate(states[1])[:, 0])


def test_only_what_is_new_is_trained(base: Checkpoint, moved: EventTable) -> None:
    network = grow(base, moved, 0.0)
    learning = {name: p.numel() for name, p in network.named_parameters() if p.requires_grad}
    size, days = network.config, len(network.config.trend_days)
    head = size.dim * (size.dim + 1 + days) + size.title_dim + 1 + days
    adapter, items = 6 * (2 * size.dim + 2), 40 * (size.dim + 1) + size.dim + 12 * size.dim
    assert sum(learning.values()) == head + adapter + items
    assert len(learning) == len(OWN) + 1


def test_the_frame_comes_off_without_a_change(base: Checkpoint, moved: EventTable) -> None:
    network = grow(base, moved, 0.0)
    values = {key: _value(network, key).clone() for key in OWN}
    plain = whole(network)
    assert all(torch.equal(_value(plain, key), values[key]) for key in OWN)
    assert set(dict(plain.named_parameters())) == set(dict(base.network.named_parameters()))


def _value(network: torch.nn.Module, key: str) -> torch.Tensor:
    owner, _, name = key.rpartition(".")
    found: torch.Tensor = getattr(network.get_submodule(owner), name)
    return found.detach()


def test_two_platforms_can_follow_one_another(
    table: EventTable, base: Checkpoint, trained: Trained, moved: EventTable
) -> None:
    second = Checkpoint.of(moved, trained.network, base.basis, exact=True, metrics={}, training={})
    third = replace(table, platforms=("news", "shop"))
    found, _ = aligned(third, second, "news")
    assert found.platforms == ("video", "shop", "news")
    network = grow(second, found, 0.0)
    assert network.contract.platforms == ("video", "shop", "news")
    assert len(network.items.platform) == 120


def test_titles_of_another_encoder_are_approached(base: Checkpoint, table: EventTable) -> None:
    titles = table.items[1].titles
    exact, near = title_features(base, titles), title_features(replace(base, exact=False), titles)
    cosine = (exact * near).sum(axis=1) / np.linalg.norm(near, axis=1)
    assert cosine.mean() > 0.9
