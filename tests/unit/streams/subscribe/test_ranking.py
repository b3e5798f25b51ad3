"""Rankings against a full sort, and what is said about folders that aren't bundles."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streams.errors import BundleError
from streams.subscribe.ranking import ItemRanking
from tests.bundles import make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("made") / "bundle")


def test_the_best_come_first(bundle: Path) -> None:
    items = ItemRanking.load(bundle, "shop")
    vector = np.random.default_rng(1).random(items.vectors.shape[1:], np.float32)
    scores = items.vectors @ vector
    order = np.argsort(-scores)
    assert [item.id for item in items.top(vector, 5)] == [items.ids[row] for row in order[:5]]
    assert items.top(vector, 1)[0].score == pytest.approx(scores.max())
    assert items.top(vector, 1)[0].title == items.titles[order[0]] != items.ids[order[0]]
    assert len(items.top(vector, 1000)) == len(items.ids) == 50
    assert items.top(vector, 0) == []


def test_without_titles_the_id_stands_for_it(bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundle, tmp_path / "copy")
    (folder / "items" / "shop.meta.msgpack").unlink()
    assert ItemRanking.load(folder, "shop").titles[0] == "shop-0"


def test_a_vector_of_another_length_is_refused(bundle: Path) -> None:
    with pytest.raises(ValueError, match="is it of bundle"):
        ItemRanking.load(bundle, "shop").top(np.zeros(3, np.float32), 1)


def test_what_isnt_there_is_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"'music'.*service\.bundle"):
        ItemRanking.load(bundle, "music")
    with pytest.raises(BundleError, match=r"bundle\.json"):
        ItemRanking.load(tmp_path, "shop")


def test_files_that_disagree_are_refused(bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundle, tmp_path / "copy")
    (folder / "items" / "shop.ids.msgpack").write_bytes(msgspec.msgpack.encode(["only"]))
    with pytest.raises(BundleError, match="1 ids, 50 vectors"):
        ItemRanking.load(folder, "shop")
