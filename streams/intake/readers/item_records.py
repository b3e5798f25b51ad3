"""Records of a platform's items topic: an item with its title, or that one is withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from streams.errors import RecordError
from streams.intake import reasons
from streams.intake.checks import key_id, text_id
from streams.intake.decode import DECODE_ERRORS, explain
from streams.intake.formats.native import Id

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
        return Withdrawn(_key_item(key, max_id_bytes))
    try:
        item = _decode(value)
    except DECODE_ERRORS as error:
        raise explain(error, value) from error
    title, category = _text(item.title), _text(item.category)
    if not title:
        raise RecordError(reasons.NO_TITLE, "title", item.title, "send the item's title as text")
    return ItemRecord(_item_id(item, key, max_id_bytes), title, category)


def _text(given: str | None) -> str:
    return (given or "").strip()[:MAX_TEXT]


def _item_id(item: NativeItem, key: bytes | None, max_id_bytes: int) -> str:
    if item.item_id is None:
        return _key_item(key, max_id_bytes)
    item_id = text_id(item.item_id, "item_id", max_id_bytes)
    # Compaction goes by the key: under another one, the item could never be withdrawn.
    if key and key != item_id.encode():
        raise RecordError(reasons.KEY_MISMATCH, "key", key, f"key the record by {item_id!r}")
    return item_id


def _key_item(key: bytes | None, max_id_bytes: int) -> str:
    if not key:
        raise RecordError(reasons.NO_ITEM, "item_id", "", "key the record by the item's id")
    return key_id(key, "item_id", max_id_bytes)
