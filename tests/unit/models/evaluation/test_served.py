"""A bundle as a method: waves equal one event after the other, and unknown things are safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.data.table import EventTable, TableBuilder
from models.errors import DataError
from models.evaluation.served import ServedBundle
from models.evaluation.session import open_session
from models.protocols import abxi, temporal
from models.protocols.cases import Cases
from tests.bundles import make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(
        tmp_path_factory.mktemp("made") / "bundle", platforms=("video", "shop", "news")
    )


def random_table(seed: int = 0, users: int = 30) -> EventTable:
    """Platforms in another order than the bundle's, and items that it doesn't know."""
    rng = np.random.default_rng(seed)
    builder = TableBuilder()
    builder.add_platform("shop")
    builder.add_item("shop", "new with title", "red garden")
    builder.add_item("shop", "new without title")
    for user in range(users):
        for _ in range(rng.integers(1, 12)):
            platform = str(rng.choice(["shop", "video"]))
            item = f"{platform}-{rng.integers(0, 52)}"
            time_ms = int(rng.integers(0, 10**9))
            builder.add_event(f"u{user}", platform, int(rng.integers(0, 3)), item, time_ms)
    return builder.build()


def one_by_one(bundle: Path, table: EventTable, begin: int, end: int) -> np.ndarray:
    """The state after the rows ``begin:end`` of one user, a batch of one at a time."""
    served = ServedBundle(bundle)
    step = open_session(bundle / "step.onnx")
    state = np.zeros((1, served.contract.state_size), np.float16)
    for row in range(begin, end):
        name = table.platforms[table.platform[row]]
        vectors = np.load(bundle / "items" / f"{name}.in.npy")
        item = int(table.items[table.platform[row]].ids[table.item[row]].split("-")[1])
        dt = (table.time_ms[row] - table.time_ms[row - 1]) / 1000 if row > begin else 0
        feed = {
            "state": state,
            "item": vectors[[min(item, len(vectors) - 1)]].astype(np.float32),
            "platform": np.array([served.contract.platforms.index(name)]),
            "action": table.action[[row]].astype(np.int64),
            "dt": np.array([dt], np.float32),
        }
        (state,) = step.run(None, feed)
    return np.asarray(state[0])


def test_waves_equal_one_event_after_the_other(bundle: Path) -> None:
    table = random_table()
    starts = table.user_starts
    ends = np.arange(1, len(table) + 1)
    got = ServedBundle(bundle).states(table, ends)
    for user in range(len(table.users)):
        for end in (starts[user] + 1, starts[user + 1]):
            wanted = one_by_one(bundle, table, int(starts[user]), int(end))
            assert np.array_equal(got[end - 1], wanted)


def test_scores_are_dot_products_with_the_targets_items(bundle: Path) -> None:
    split = abxi(random_table(), negatives=20)
    served = ServedBundle(bundle)
    served.fit(split, 0)
    shop = split.test.select(split.targets(split.test) == 0)
    scores = served.scores(shop, 0)
    assert scores.shape == (len(shop), len(split.table.items[0]))
    known = split.table.items[0].ids.index("shop-7")
    vector = np.load(bundle / "items" / "shop.out.npy")[7].astype(np.float32)
    assert scores[:, known] == pytest.approx(served.interests(shop, 0) @ vector, rel=1e-5)


def test_items_that_training_never_saw(bundle: Path) -> None:
    """A title makes a vector; an item without one comes last and never is NaN."""
    split = abxi(random_table(), negatives=20)
    served = ServedBundle(bundle)
    served.fit(split, 0)
    shop = split.test.select(split.targets(split.test) == 0)
    scores = served.scores(shop, 0)
    assert np.isfinite(scores[:, split.table.items[0].ids.index("new with title")]).all()
    assert (scores[:, split.table.items[0].ids.index("new without title")] == -np.inf).all()
    assert not np.isnan(scores).any()


def test_an_item_that_comes_after_training_has_what_its_title_gives(bundle: Path) -> None:
    """By ``temporal``: that the bundle's files have a row of it is of no use to a live worker."""
    builder = TableBuilder()
    builder.add_item("shop", "shop-3", "red garden")
    builder.add_item("shop", "shop-4")
    for at in range(20):
        name = {15: "shop-3", 16: "shop-4"}.get(at, f"shop-{at}")
        builder.add_event("u", "shop", 0, name if at > 9 else "shop-9", at + 1)
    split = temporal(builder.build(), train_share=0.5)
    shop = split.table.items[0].ids
    files, new = (ServedBundle(bundle), ServedBundle(bundle))
    new.fit(split, 0)
    given, made = files.outputs(split.table)[0], new.outputs(split.table)[0]
    assert np.array_equal(given[shop.index("shop-9")], made[shop.index("shop-9")])
    assert np.isfinite(made[shop.index("shop-3")]).all()
    assert not np.array_equal(given[shop.index("shop-3")], made[shop.index("shop-3")])
    assert np.isnan(made[shop.index("shop-4")]).all()


def test_without_a_history_the_state_is_zero(bundle: Path) -> None:
    split = abxi(random_table(), negatives=20)
    served = ServedBundle(bundle)
    served.fit(split, 0)
    row = split.test.row[:1]
    got = served.interests(Cases(row, row, row, None), 1)
    migrate = open_session(bundle / "migrate.onnx")
    zero = np.zeros((1, served.contract.state_size), np.float16)
    assert np.array_equal(got, migrate.run(None, {"state": zero})[0][:, 0])


def test_platforms_that_the_bundle_does_not_know(bundle: Path) -> None:
    builder = TableBuilder()
    for time_ms in range(4):
        builder.add_event("u", "radio", 0, "i", time_ms)
    with pytest.raises(DataError, match=r"platforms \['radio'\], the bundle knows video, shop"):
        ServedBundle(bundle).fit(abxi(builder.build()), 0)


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="isn't a bundle"):
        ServedBundle(tmp_path)
