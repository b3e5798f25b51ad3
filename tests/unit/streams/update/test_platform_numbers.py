"""Platform numbers keep their meaning, whatever bundle comes."""

from __future__ import annotations

import pytest

from streams.errors import StateError
from streams.update.platform_numbers import (
    check_vocabulary,
    encode_vocabulary,
    vocabulary_key,
)
from tests.unit.streams.toy import (
    PLATFORMS,
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)


def test_the_names_are_written_once_with_the_first_batch() -> None:
    updater, store = toy_updater(), MemoryStore()
    first = updater.process([batch(3, 0, [("u/1", event(START_MS, offset=0))])], store)
    assert (vocabulary_key(3), encode_vocabulary(PLATFORMS)) in first.changelog[3]
    store.write(first)
    second = updater.process([batch(3, 1, [("u/1", event(START_MS, offset=1))])], store)
    updater.release()
    third = updater.process([batch(3, 2, [("u/1", event(START_MS, offset=2))])], store)
    for effects in (second, third):
        assert vocabulary_key(3) not in dict(effects.changelog[3])


def test_platforms_may_be_added_at_the_end_only() -> None:
    stored = encode_vocabulary(("video", "shop"))
    assert check_vocabulary(stored, ("video", "shop"))
    assert not check_vocabulary(stored, ("video", "shop", "news"))
    assert not check_vocabulary(None, ("video",))
    for other in (("shop", "video"), ("video",), ("video", "news", "shop")):
        with pytest.raises(StateError, match=r"number the platforms video, shop, the bundle"):
            check_vocabulary(stored, other)


def test_damaged_names_say_so() -> None:
    with pytest.raises(StateError, match="damaged"):
        check_vocabulary(b"\xc1", PLATFORMS)


def test_another_order_stops_the_update_before_anything_is_applied() -> None:
    updater, store = toy_updater(), MemoryStore()
    store.values[0, vocabulary_key(0)] = encode_vocabulary(("news", "shop", "video"))
    with pytest.raises(StateError, match="train a bundle"):
        updater.process([batch(0, 0, [("u/1", event(START_MS, offset=0))])], store)
