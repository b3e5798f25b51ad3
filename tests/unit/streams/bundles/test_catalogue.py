"""Items: rows of the bundle, of later announcements, and the unknown one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.bundles.catalogue import GROWTH, Catalogue, PlatformItems
from streams.log.keys import LOW_40, stable_hash
from tests.unit.streams.toy import PLATFORMS, D, ToyItems, toy_catalogue


def vector(value: float) -> np.ndarray:
    return np.full(D, value, np.float32)


def test_items_of_the_bundle_have_the_bundles_vectors() -> None:
    table = ToyItems(3)
    items = PlatformItems(table)
    assert len(items) == 20
    assert items.is_of_bundle("i7")
    found = items.get("i7")
    assert found is not None
    assert found.hash40 == stable_hash("i7") & LOW_40
    np.testing.assert_array_equal(
        items.gather(np.array([found.row, 0])), table.vectors_in[[7, 0]].astype(np.float32)
    )


def test_an_unknown_item_has_the_last_vector_and_its_own_hash() -> None:
    table = ToyItems(3)
    items = PlatformItems(table)
    assert items.get("nobody-said") is None
    assert "nobody-said" not in items
    stand_in = items.unknown("nobody-said")
    assert stand_in.hash40 == stable_hash("nobody-said") & LOW_40
    np.testing.assert_array_equal(
        items.gather(np.array([stand_in.row]))[0], table.vectors_in[20].astype(np.float32)
    )
    assert items.index_of_hash(stand_in.hash40) == stand_in.row == items.unknown_index
    assert items.name_of_hash(stand_in.hash40) is None


def test_an_announced_item_is_found_by_name_and_by_hash_and_may_change() -> None:
    items = PlatformItems(ToyItems(3))
    items.add("new", vector(1.0))
    items.add("new", vector(2.0))
    found = items.get("new")
    assert found is not None
    assert len(items) == 21
    assert not items.is_of_bundle("new")
    assert items.index_of_hash(found.hash40) == found.row
    assert items.name_of_hash(found.hash40) == "new"
    np.testing.assert_array_equal(items.gather(np.array([found.row]))[0], vector(2.0))


def test_an_announcement_does_not_change_an_item_of_the_bundle() -> None:
    table = ToyItems(3)
    items = PlatformItems(table)
    items.add("i2", vector(9.0))
    assert len(items) == 20
    np.testing.assert_array_equal(
        items.gather(np.array([2]))[0], table.vectors_in[2].astype(np.float32)
    )


def test_any_number_of_announced_items_keeps_its_vectors() -> None:
    items = PlatformItems(ToyItems(3))
    count = 2 * GROWTH  # whole numbers up to here are themselves in float16
    for n in range(count):
        items.add(f"new-{n}", vector(n))
    rows = []
    for n in range(count):
        found = items.get(f"new-{n}")
        assert found is not None
        rows.append(found.row)
    np.testing.assert_array_equal(items.gather(np.array(rows))[:, 0], np.arange(count))


@given(st.lists(st.tuples(st.integers(0, len(PLATFORMS) - 1), st.integers(0, 22)), max_size=40))
def test_items_of_several_platforms_come_in_the_order_asked_for(
    asked: list[tuple[int, int]],
) -> None:
    catalogue = toy_catalogue()
    for number, items in enumerate(catalogue.items):
        items.add("new-a", vector(10 + number))
        items.add("new-b", vector(20 + number))
    platform = np.array([p for p, _ in asked], np.int64)
    index = np.array([i for _, i in asked], np.int64)
    found = catalogue.gather(platform, index)
    assert found.shape == (len(asked), D)
    for row, (p, i) in zip(found, asked, strict=True):
        np.testing.assert_array_equal(row, catalogue.items[p].gather(np.array([i]))[0])


def test_platforms_keep_their_order() -> None:
    tables = {name: ToyItems(n) for n, name in enumerate(reversed(PLATFORMS))}
    catalogue = Catalogue(PLATFORMS, tables)
    assert catalogue.platforms == PLATFORMS
    assert catalogue.item_dim == D
    np.testing.assert_array_equal(
        catalogue.gather(np.array([0]), np.array([4]))[0],
        tables[PLATFORMS[0]].vectors_in[4].astype(np.float32),
    )
