"""Records of a platform's items topic: an item with its title, or that one is withdrawn.

Every worker reads the items themselves (:func:`parse_item`) by a broadcast reader, from the
beginning at each start. Intake reads the topic once, as a group, so that a bad record makes one
dead letter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.checks import id_of_record
from streams.intake.decode import DECODE_ERRORS, explain
from streams.intake.formats.native import Id
from streams.intake.readers.base import SingleReader
from streams.log.records import Via

MAX_TEXT: Final = 1000
"""Characters of a title or category that are kept; text encoders read far fewer."""


class NativeItem(msgspec.Struct, gc=False):
    """An item as producers send it; the record's key is the item id."""

    item_id: Id | None = None
    title: str | None = None
    category: str | None = None


class ItemRecord(msgspec.Struct, frozen=True, gc=False):
    """An item of a platform's catalogue.

    Attributes:
        item_id: its id on the platform.
        title: its title, at most ``MAX_TEXT`` characters.
        category: its category, ``""`` where the producer gives none.
    """

    item_id: str
    title: str
    category: str


class Withdrawn(msgspec.Struct, frozen=True, gc=False):
    """An item that the platform no longer offers."""

    item_id: str


_decode: Callable[[bytes], NativeItem] = msgspec.json.Decoder(NativeItem).decode


def parse_item(
    key: bytes | None, value: bytes | None, max_id_bytes: int = 256
) -> ItemRecord | Withdrawn:
    """One record of an items topic.

    Args:
        key: the record's key, the item id.
        value: JSON with ``title`` and optionally ``item_id`` and ``category``; empty: withdrawn.
        max_id_bytes: longest id in bytes (``intake.max_id_bytes``).

    Raises:
        RecordError: the record can't be used; it says why.
    """
    if not value:
        return Withdrawn(_item_id(None, key, max_id_bytes))
    try:
        item = _decode(value)
    except DECODE_ERRORS as error:
        raise explain(error, value) from error
    title, category = _text(item.title), _text(item.category)
    if not title:
        raise RecordError(reasons.NO_TITLE, "title", item.title, "send the item's title as text")
    return ItemRecord(_item_id(item.item_id, key, max_id_bytes), title, category)


def _text(given: str | None) -> str:
    return (given or "").strip()[:MAX_TEXT]


def _item_id(given: Id | None, key: bytes | None, max_id_bytes: int) -> str:
    if given is None and not key:
        raise RecordError(reasons.NO_ITEM, "item_id", "", "key the record by the item's id")
    return id_of_record(key, given, "item_id", max_id_bytes)


class ItemReader(SingleReader):
    """Checks the items of one platform; one makes no log record."""

    def _record(
        self, via: Via, key: bytes | None, value: bytes | None, source_ms: int, now_ms: int
    ) -> None:
        parse_item(key, value, self._max_id_bytes)
