"""The common event table: every dataset as numpy columns, whatever its file format was.

Rows are grouped by user, inside a user ordered by event time, and events of the same time
keep the order of their file. Training, evaluation and replay all read this one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.contract import ACTIONS

Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

TRAIN: Final = 0
VALIDATION: Final = 1
TEST: Final = 2
# Of the shuffle of ties: fixed, so that a bundle can be trained on the same order.
TIES_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class ItemList:
    """The catalogue of one platform; a row number is an item code.

    Attributes:
        ids: item ids, unique; N of them.
        titles: N titles, ``""`` where the data has none.
        categories: N categories, ``""`` where the data has none.
    """

    ids: list[str]
    titles: list[str]
    categories: list[str]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class EventTable:
    """E events of U users on P platforms, as columns.

    Attributes:
        users: U user ids; the position is the user code.
        platforms: P platform names; the position is the platform code.
        items: for each platform its catalogue, also items that no event names.
        user: int32 [E], non-decreasing user codes.
        platform: int16 [E], platform codes.
        action: int8 [E], positions in ``models.contract.ACTIONS``.
        item: int32 [E], positions in ``items[platform].ids``.
        time_ms: int64 [E], event time in milliseconds since 1970 (UTC), all zero where the
            dataset has no times; non-decreasing inside a user.
        part: int8 [E], ``TRAIN``, ``VALIDATION`` or ``TEST`` where the dataset itself
            prescribes the split, otherwise None.
        negatives: int32 [E, K] item codes that the dataset prescribes as the candidates
            beside each test event (other rows hold -1), otherwise None.
    """

    users: list[str]
    platforms: tuple[str, ...]
    items: tuple[ItemList, ...]
    user: Int32
    platform: Int16
    action: Int8
    item: Int32
    time_ms: Int64
    part: Int8 | None = None
    negatives: Int32 | None = None

    def __len__(self) -> int:
        return len(self.user)

    @property
    def user_starts(self) -> Int64:
        """int64 [U+1]: events of user u are the rows ``user_starts[u]:user_starts[u + 1]``."""
        return np.searchsorted(self.user, np.arange(len(self.users) + 1)).astype(np.int64)

    @property
    def item_offsets(self) -> Int64:
        """int64 [P+1]: ``item_offsets[p] + item`` numbers all items of all platforms."""
        return np.cumsum([0, *(len(items) for items in self.items)], dtype=np.int64)

    @property
    def global_item(self) -> Int64:
        """int64 [E]: each event's item, numbered over all platforms (``item_offsets``)."""
        return self.item_offsets[self.platform] + self.item

    def by_time(self) -> Int64:
        """int64 [E]: row numbers in event time; rows of one time keep the table's order."""
        return np.argsort(self.time_ms, kind="stable")

    def select(self, rows: npt.NDArray[np.bool_ | np.integer]) -> EventTable:
        """The events of ``rows`` (bool [E], or row numbers that keep users in order).

        Users, platforms and items stay, so that codes mean the same in both tables.
        """
        return replace(
            self,
            user=self.user[rows],
            platform=self.platform[rows],
            action=self.action[rows],
            item=self.item[rows],
            time_ms=self.time_ms[rows],
            part=None if self.part is None else self.part[rows],
            negatives=None if self.negatives is None else self.negatives[rows],
        )


def on_platforms(table: EventTable, names: Sequence[str]) -> EventTable:
    """The events of some platforms, which get the codes of their order in ``names``."""
    codes = [table.platforms.index(name) for name in names]
    new = np.full(len(table.platforms), -1, np.int16)
    new[codes] = np.arange(len(codes))
    kept = table.select(new[table.platform] >= 0)
    return replace(
        kept,
        platforms=tuple(names),
        items=tuple(table.items[code] for code in codes),
        platform=new[kept.platform],
    )


def shuffle_ties(table: EventTable, seed: int = TIES_SEED) -> EventTable:
    """The same events, but in random order where a user has several at one time.

    Datasets with coarse times order such events by something else, AFK by item id, and a
    model can learn that order instead of an interest.
    """
    noise = np.random.default_rng(seed).random(len(table))
    return table.select(np.lexsort((noise, table.time_ms, table.user)))


@dataclass(slots=True)
class _Vocabulary:
    """Ids in order of first appearance."""

    codes: dict[str, int] = field(default_factory=dict)

    def code(self, value: str) -> int:
        return self.codes.setdefault(value, len(self.codes))


@dataclass(slots=True)
class TableBuilder:
    """Collects events and items row by row, then makes the table."""

    _users: _Vocabulary = field(default_factory=_Vocabulary)
    _platforms: _Vocabulary = field(default_factory=_Vocabulary)
    _items: list[_Vocabulary] = field(default_factory=list)
    _words: list[dict[int, tuple[str, str]]] = field(default_factory=list)
    _rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    _negatives: dict[int, Sequence[int]] = field(default_factory=dict)

    def add_platform(self, name: str) -> int:
        """The platform's code; new names get the next one."""
        code = self._platforms.code(name)
        if code == len(self._items):
            self._items.append(_Vocabulary())
            self._words.append({})
        return code

    def add_item(self, platform: str, item: str, title: str = "", category: str = "") -> int:
        """The item's code on its platform; a later title or category replaces an earlier."""
        at = self.add_platform(platform)
        code = self._items[at].code(item)
        if title or category:
            self._words[at][code] = (title, category)
        return code

    def count_items(self, platform: str) -> int:
        """How many items the platform has so far."""
        return len(self._items[self.add_platform(platform)].codes)

    def add_event(
        self,
        user: str,
        platform: str,
        action: int,
        item: str,
        time_ms: int,
        part: int = -1,
        negatives: Sequence[int] = (),
    ) -> None:
        """One event; ``part`` and ``negatives`` only where the dataset prescribes them."""
        at = self.add_platform(platform)
        if negatives:
            self._negatives[len(self._rows)] = negatives
        row = (self._users.code(user), at, action, self._items[at].code(item), time_ms, part)
        self._rows.append(row)

    def build(self) -> EventTable:
        """Sort by user, then time, then order of arrival."""
        columns = np.array(self._rows, dtype=np.int64).reshape(-1, 6)
        order = np.lexsort((columns[:, 4], columns[:, 0]))
        columns = columns[order]
        return EventTable(
            users=list(self._users.codes),
            platforms=tuple(self._platforms.codes),
            items=tuple(self._item_list(at) for at in range(len(self._items))),
            user=columns[:, 0].astype(np.int32),
            platform=columns[:, 1].astype(np.int16),
            action=columns[:, 2].astype(np.int8),
            item=columns[:, 3].astype(np.int32),
            time_ms=columns[:, 4],
            part=columns[:, 5].astype(np.int8) if (columns[:, 5] >= 0).any() else None,
            negatives=self._negative_rows(order),
        )

    def _item_list(self, at: int) -> ItemList:
        words = [self._words[at].get(code, ("", "")) for code in self._items[at].codes.values()]
        return ItemList(list(self._items[at].codes), [w[0] for w in words], [w[1] for w in words])

    def _negative_rows(self, order: Int64) -> Int32 | None:
        if not self._negatives:
            return None
        width = max(map(len, self._negatives.values()))
        rows = np.full((len(self._rows), width), -1, np.int32)
        for row, items in self._negatives.items():
            rows[row, : len(items)] = items
        return rows[order]


def action_code(name: str) -> int | None:
    """Position of an action's name in ``ACTIONS``, None if there is no such action."""
    return ACTIONS.index(name) if name in ACTIONS else None
