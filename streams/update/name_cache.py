"""What the names in event records stand for, looked up by their bytes.

The names of an event (source topic, platform, action, item) are the same bytes in each event
of its kind with its item. So they are decoded once, and a batch's names are one pass of
dictionary lookups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.bundles.catalogue import Catalogue
from streams.log import codec

LIMIT: Final = 1 << 16
"""Names kept at the most, some 200 bytes each; beyond it all are forgotten."""
FIRST_ROWS: Final = 1 << 10
COLUMNS: Final = 6
_NEW: Final = -1

Int64 = NDArray[np.int64]


class NameCache:
    """Names of events, and what they stand for in a contract and a catalogue.

    Args:
        catalogue: items.
        platform: platform name → contract index.
        action: action name → contract index.

    Attributes:
        topics: source topics; columns hold indices into it.
    """

    def __init__(
        self, catalogue: Catalogue, platform: Mapping[str, int], action: Mapping[str, int]
    ) -> None:
        self._catalogue = catalogue
        self._platform = platform
        self._action = action
        self.topics: list[str] = []
        self._topic: dict[str, int] = {}
        self._forget()

    def _forget(self) -> None:
        self._index_of: dict[bytes, int] = {}
        self._table = np.zeros((FIRST_ROWS, COLUMNS), np.int64)
        self._new: list[int] = []  # rows that aren't in the table yet, one after the other
        self._items_known = len(self._catalogue)

    def find(self, texts: Sequence[bytes]) -> Int64 | None:
        """Columns topic, platform, action, item, hash40, unknown: int64 [6, n].

        ``item`` is the row of the platform's catalogue; ``unknown`` is 1 where no catalogue
        knows it. None where some names can't be used.
        """
        # An item that was unknown may be known by now.
        if len(self._index_of) > LIMIT or self._items_known != len(self._catalogue):
            self._forget()
        indices = np.fromiter(map(self._index_of.get, texts, repeat(_NEW)), np.int64, len(texts))
        new = np.flatnonzero(indices == _NEW)
        if len(new):
            try:
                indices[new] = [self._learn(texts[i]) for i in new.tolist()]
            except (msgspec.DecodeError, KeyError):
                return None
            finally:
                self._write_down()
        columns: Int64 = self._table[indices].T
        return columns

    def _learn(self, text: bytes) -> int:
        index = self._index_of.get(text)
        if index is None:
            names = codec.decode_names(text)
            platform, action = self._platform[names.platform], self._action[names.action]
            items = self._catalogue.items[platform]
            item = items.get(names.item)
            known = item is not None
            item = item or items.unknown(names.item)
            index = self._index_of[text] = len(self._index_of)
            topic = self.topic(names.topic)
            self._new += topic, platform, action, item.row, item.hash40, not known
        return index

    def _write_down(self) -> None:
        """What was learned goes into the table."""
        learned = np.array(self._new, np.int64).reshape(-1, COLUMNS)
        end = len(self._index_of)
        while end > len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[end - len(learned) : end] = learned
        self._new.clear()

    def topic(self, name: str) -> int:
        """Index of a source topic in ``topics``."""
        index = self._topic.setdefault(name, len(self.topics))
        if index == len(self.topics):
            self.topics.append(name)
        return index
