"""Items of all platforms: id → input vector, for the step and for rebuilds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.log.keys import LOW_40, stable_hash

GROWTH: Final = 1024


class ItemTableLike(Protocol):
    """What the catalogue needs of a bundle's item table."""

    @property
    def id_list(self) -> Sequence[str]:
        """N item ids."""

    @property
    def vectors_in(self) -> NDArray[np.float16]:
        """Input vectors [N + 1, D]; the last row is the unknown item's."""


class Item(NamedTuple):
    """An item as the update sees it.

    Attributes:
        row: row in the platform's catalogue.
        hash40: what the window stores of the item's id.
    """

    row: int
    hash40: int


class PlatformItems:
    """Items of one platform: those of the bundle, then those that came since.

    The bundle's last row is the unknown item; events of items that nobody has announced
    count with it.
    """

    def __init__(self, table: ItemTableLike) -> None:
        self._base = np.asarray(table.vectors_in)  # a memory map's own indexing is slow
        self.unknown_index = len(table.id_list)
        self._extra = np.zeros((0, self._base.shape[1]), np.float16)
        self._extra_used = 0
        self._items: dict[str, Item] = {}
        self._by_hash: dict[int, int] = {}
        self._names: dict[int, str] = {}
        for index, item_id in enumerate(table.id_list):
            self._remember(item_id, index)

    def _remember(self, item_id: str, index: int) -> None:
        hash40 = stable_hash(item_id) & LOW_40
        self._items[item_id] = Item(index, hash40)
        self._by_hash[hash40] = index
        self._names[hash40] = item_id

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    def is_of_bundle(self, item_id: str) -> bool:
        """Whether the bundle itself has a vector of the item."""
        item = self._items.get(item_id)
        return item is not None and item.row < self.unknown_index

    def get(self, item_id: str) -> Item | None:
        """The item, None where no catalogue knows it."""
        return self._items.get(item_id)

    def unknown(self, item_id: str) -> Item:
        """Stand-in for an item that no catalogue knows; its own id is what the window keeps."""
        return Item(self.unknown_index, stable_hash(item_id) & LOW_40)

    def name_of_hash(self, hash40: int) -> str | None:
        """Id of the item with this hash; None where no catalogue knows it."""
        return self._names.get(hash40)

    def index_of_hash(self, hash40: int) -> int:
        """Row of the item with this hash, the unknown item's where there is none."""
        return self._by_hash.get(hash40, self.unknown_index)

    def add(self, item_id: str, vector: NDArray[np.float32]) -> None:
        """A new item, or another vector for an item that came since the bundle was made.

        It is kept as the bundle's are, in float16.
        """
        known = self._items.get(item_id)
        if known is not None and known.row <= self.unknown_index:
            return
        if known is None:
            index = self.unknown_index + 1 + self._extra_used
            if self._extra_used == len(self._extra):
                grown = np.zeros((len(self._extra) + GROWTH, self._base.shape[1]), np.float16)
                grown[: len(self._extra)] = self._extra
                self._extra = grown
            self._extra_used += 1
            self._remember(item_id, index)
            known = self._items[item_id]
        self._extra[known.row - self.unknown_index - 1] = vector

    def gather(self, indices: NDArray[np.int64]) -> NDArray[np.float16]:
        """Input vectors [n, D] of items by row."""
        old = indices <= self.unknown_index
        if old.all():
            return self._base.take(indices, axis=0)
        out = np.empty((len(indices), self._base.shape[1]), np.float16)
        out[old] = self._base[indices[old]]
        out[~old] = self._extra[indices[~old] - self.unknown_index - 1]
        return out


class Catalogue:
    """Items of every platform of a contract."""

    def __init__(self, platforms: Sequence[str], tables: Mapping[str, ItemTableLike]) -> None:
        self.platforms = tuple(platforms)
        self.items = [PlatformItems(tables[name]) for name in self.platforms]
        self.item_dim = int(tables[self.platforms[0]].vectors_in.shape[1])

    def __len__(self) -> int:
        return sum(map(len, self.items))

    def gather(self, platform: NDArray[np.int64], index: NDArray[np.int64]) -> NDArray[np.float16]:
        """Input vectors [n, D] of items given as (platform index, row)."""
        out = np.empty((len(index), self.item_dim), np.float16)
        for number, items in enumerate(self.items):
            of_platform = np.flatnonzero(platform == number)
            if len(of_platform) == len(index):
                return items.gather(index)
            if len(of_platform):
                out[of_platform] = items.gather(index[of_platform])
        return out
