"""Labels are found, named, learned and calibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.config import preset
from models.data.table import ItemList
from models.items.title_basis import fit_basis
from models.labels import OTHER
from models.protocols import split_for
from models.protocols.cases import Split
from models.training.fit import Trained, fit
from models.training.infer import interests
from models.training.label_fit import clusters, item_labels
from tests.people import TOPICS, people_table

SIZES = {"dim": 16, "hidden": 8, "text_dim": 12, "negatives": 32, "batch": 16}


@pytest.fixture(scope="module")
def split() -> Split:
    return split_for(people_table(users=120), "abxi", 0)


@pytest.fixture(scope="module")
def trained(split: Split) -> Trained:
    chosen = preset("small", **SIZES, epochs=8, rate=5e-3)
    return fit(split, chosen.model, chosen.train)


def test_categories_are_labels_and_rare_ones_are_other() -> None:
    items = ItemList(list("abcdef"), [""] * 6, ["x", "x", "y", "z", "", "x"])
    names, label = item_labels(items, np.zeros((6, 3), np.float32))
    assert names == ["x", "y", "z"]
    assert label.tolist() == [0, 0, 1, 2, -1, 0]
    names, label = item_labels(items, np.zeros((6, 3), np.float32), most=2)
    assert names == ["x", OTHER]
    assert label.tolist() == [0, 0, 1, 1, -1, 0]


def test_titles_give_topics_with_readable_names() -> None:
    listed = people_table().items[0]
    items = replace(listed, categories=[""] * len(listed))
    features = fit_basis(items.titles, 12).features(items.titles)
    names, label = item_labels(items, features, most=4)
    assert len(names) == len(set(names)) == 4
    assert sum(any(topic in name for topic in TOPICS) for name in names) >= 3
    assert set(label.tolist()) == {0, 1, 2, 3}


def test_nothing_to_name_is_no_label() -> None:
    items = ItemList(["a", "b"], ["", ""], ["", ""])
    names, label = item_labels(items, np.zeros((2, 3), np.float32))
    assert names == []
    assert label.tolist() == [-1, -1]


def test_clusters_of_two_directions() -> None:
    rows = np.repeat(np.eye(2, 5, dtype=np.float32), 6, axis=0)
    found = clusters(rows + 0.0, 2, seed=3)
    assert len(set(found[:6].tolist())) == len(set(found[6:].tolist())) == 1


def test_shares_tell_what_comes_next_better_than_the_average(
    split: Split, trained: Trained
) -> None:
    assert set(trained.labels) == {"video", "shop"}
    for p, name in enumerate(("video", "shop")):
        labels = trained.labels[name]
        assert set(labels.names) == set(TOPICS)
        cases = split.test.select(split.targets(split.test) == p)
        _, label = item_labels(split.table.items[p], np.zeros((40, 12), np.float32))
        truth = label[split.table.item[cases.row]]
        shares = labels.shares(interests(trained.network, split.table, cases, 64))
        own = shares[np.arange(len(truth)), truth]
        assert -np.log(own).mean() < np.log(4) - 0.2
        # Calibrated: the mean of the largest share is about how often it is right.
        right = (shares.argmax(axis=1) == truth).mean()
        assert shares.max(axis=1).mean() == pytest.approx(right, abs=0.2)
