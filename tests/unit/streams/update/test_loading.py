"""Users come from the store; who has a damaged value is a dead letter, and the worker goes on."""

from __future__ import annotations

import numpy as np
import pytest

from streams.errors import DamagedError, StateError
from streams.log.records import Consent, Event, Link, Via
from streams.update.loading import STORED_VALUE
from streams.windows.stored_value import decode_pointer, decode_value, encode_pointer
from tests.unit.streams.toy import (
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)

CONSENT = Consent(Via("interest.consent", 0, 0), allow=False, pairs=(), source_ms=START_MS)


def stored_ann(store: MemoryStore) -> bytes:
    """Let ann have three events, and return her stored value."""
    updater = toy_updater()
    records = [("u/ann", event(START_MS + n, offset=n)) for n in range(3)]
    store.write(updater.process([batch(0, 0, records)], store))
    return store.values[0, "u/ann"]


def later(n: int) -> Event:
    return event(START_MS + 10 + n, offset=10 + n)


def test_a_damaged_value_is_one_users_affair_and_a_letter() -> None:
    store = MemoryStore()
    value = stored_ann(store)
    store.values[0, "u/ann"] = value[:-3]
    updater = toy_updater()
    effects = updater.process([batch(0, 7, [("u/bob", later(0)), ("u/ann", later(1))])], store)
    (letter,) = effects.refused
    assert (letter.reason, letter.partition, letter.offset) == (STORED_VALUE, 0, 8)
    assert (letter.key, letter.value) == (b"u/ann", value[:-3])
    assert effects.counts.applied.total() == 1  # bob's
    # What ann had allowed, or whether she was erased, isn't known: nothing of her is used, ...
    assert effects.counts.skipped["denied"] == 1
    assert {(t.target, t.id) for t in effects.tombstones} == {(0, "ann"), (2, "ann")}
    assert effects.vectors is not None
    assert set(effects.vectors.ids) == {"bob"}
    # ... in another worker either, until her consent is sent again.
    store.write(effects)
    updater = toy_updater()
    effects = updater.process([batch(0, 9, [("u/ann", CONSENT), ("u/ann", later(2))])], store)
    assert effects.refused == []
    assert effects.counts.applied.total() == 1
    assert effects.vectors is not None
    assert set(effects.vectors.ids) == {"ann"}


def test_a_damaged_pointer_waits_for_its_link() -> None:
    key, store, updater = "l/shop/c-1", MemoryStore(), toy_updater()
    store.values[0, key] = encode_pointer("ann") + b"\xff"
    click = event(START_MS, offset=0, platform="shop")
    effects = updater.process([batch(0, 0, [(key, click)])], store)
    assert [letter.reason for letter in effects.refused] == [STORED_VALUE]
    assert effects.counts.applied.total() == 0
    store.write(effects)
    link = Link(Via("shop.links", 0, 0), "shop", "c-1", "ann", START_MS)
    again = event(START_MS, offset=1, platform="shop")
    effects = updater.process([batch(0, 1, [(key, link), (key, again)])], store)
    assert [key for key, record in effects.forwards if isinstance(record, Event)] == ["u/ann"]


def test_another_version_ends_the_worker_because_everybody_would_be_lost() -> None:
    store = MemoryStore()
    store.values[0, "u/ann"] = b"\x20" + stored_ann(store)[1:]
    with pytest.raises(StateError, match="run the version that wrote it") as caught:
        toy_updater().process([batch(0, 7, [("u/ann", later(0))])], store)
    assert not isinstance(caught.value, DamagedError)


def test_a_state_that_isn_t_finite_is_computed_again_from_the_window() -> None:
    store = MemoryStore()
    layout = toy_updater().slab.layout
    value = bytearray(stored_ann(store))
    row, _ = decode_value(layout, bytes(value))
    value[layout.header_bytes : layout.header_bytes + 2] = b"\x00\x7e"  # a NaN
    store.values[0, "u/ann"] = bytes(value)
    updater = toy_updater()
    effects = updater.process([batch(0, 3, [("u/ann", later(0))])], store)
    assert effects.refused == []
    healthy = MemoryStore()
    healthy.values[0, "u/ann"] = bytes(stored_ann(MemoryStore()))
    expected = toy_updater().process([batch(0, 3, [("u/ann", later(0))])], healthy)
    assert effects.vectors is not None
    assert expected.vectors is not None
    np.testing.assert_array_equal(effects.vectors.vectors, expected.vectors.vectors)
    assert row["length"] == 3


def test_a_damaged_pointer_says_nothing_of_whose_it_was() -> None:
    with pytest.raises(DamagedError) as caught:
        decode_pointer(encode_pointer("private-name") + b"\xff")
    assert "private" not in str(caught.value)
