"""Users come over to another bundle: at their next event, and in the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.contract import ACTIONS
from streams.effects.effects import Effects
from streams.errors import StateError
from streams.log.keys import local_key
from streams.log.records import Link, LogRecord, Via
from streams.update.context import ActiveBundle
from streams.update.renewal import START, Renewal, next_users, renewal_key
from streams.update.updater import Updater
from streams.windows.layout import Layout
from streams.windows.slab import Slab
from streams.windows.stored_value import encode_pointer
from tests.unit.streams.toy import (
    PLATFORMS,
    START_MS,
    MemoryStore,
    S,
    ToyModel,
    batch,
    event,
    toy_catalogue,
    toy_updater,
)

OLD, NEW = 7, 8


class OtherModel(ToyModel):
    """Other weights."""

    def step(self, state: Any, item: Any, platform: Any, action: Any, dt: Any) -> Any:
        return super().step(state, -0.5 * item, platform, action, dt)


def swapped(updater: Updater, bundle: int = NEW, state: int = S) -> Updater:
    slab = Slab(Layout(len(PLATFORMS), state, updater.slab.layout.window), bundle, 256)
    updater.swap(ActiveBundle(slab, toy_catalogue(), OtherModel(), updater.directory, ACTIONS))
    return updater


Keyed = tuple[str, LogRecord]


def apply(updater: Updater, store: MemoryStore, start: int, *records: Keyed) -> Effects:
    effects = updater.process([batch(0, start, records)], store)
    store.write(effects)
    updater.slab.flushed(updater.slab.batch)
    return effects


def some_users(updater: Updater, store: MemoryStore, count: int, events: int = 5) -> None:
    for number in range(count):
        records = [
            (f"u/{number:03}", event(START_MS + 1000 * k, offset=number * events + k, item=f"i{k}"))
            for k in range(events)
        ]
        apply(updater, store, number * events, *records)


def renew_all(updater: Updater, store: MemoryStore, limit: int = 3) -> list[Effects]:
    found = []
    while (effects := updater.renew([0], store, limit)) is not None:
        store.write(effects)
        updater.slab.flushed(updater.slab.batch)
        found.append(effects)
    return found


def states(updater: Updater, store: MemoryStore, count: int) -> list[bytes]:
    return [
        updater.slab.rows["current"][updater.slab.insert(key, 0, store.values[0, key])].tobytes()
        for key in (f"u/{number:03}" for number in range(count))
    ]


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (None, Renewal(NEW)),
        (Renewal(NEW, complete=True), Renewal(NEW, complete=True, declared=True)),
        (Renewal(NEW), Renewal(NEW, declared=True)),
        (Renewal(NEW, everyone=True), Renewal(NEW, everyone=True, declared=True)),
        (Renewal(OLD, complete=True), Renewal(NEW)),
        (Renewal(OLD), Renewal(NEW, everyone=True)),
    ],
)
def test_what_is_left_to_do_of_what_the_table_says(stored: Renewal | None, wanted: Renewal) -> None:
    value = None if stored is None else stored.value()
    assert Renewal.restore(value, NEW) == wanted


def test_a_damaged_entry_is_an_error_with_a_remedy() -> None:
    with pytest.raises(StateError, match="delete the local store"):
        Renewal.restore(b"\xc1", NEW)


def test_the_next_users_are_those_of_another_bundle_up_to_a_limit() -> None:
    row = Layout(3, S, 8).empty_row(OLD).tobytes()
    new = Layout(3, S, 8).empty_row(NEW).tobytes()
    values = [("l/a", row), ("l/b", encode_pointer("ann" * 20)), ("u/c", new), ("u/d", row)]
    renewal = Renewal(NEW)
    found = next_users(iter(values), renewal, NEW, limit=9, scan=9)
    assert (found.keys, found.last, found.end) == (["l/a", "u/d"], "u/d", True)
    renewal.everyone = True
    assert next_users(iter(values), renewal, NEW, 9, 9).keys == ["l/a", "u/c", "u/d"]
    first = next_users(iter(values), renewal, NEW, limit=1, scan=9)
    assert (first.keys, first.last, first.end) == (["l/a"], "l/a", False)
    looked = next_users(iter(values), Renewal(NEW), NEW, limit=9, scan=3)
    assert (looked.keys, looked.last, looked.end) == (["l/a"], "u/c", False)
    assert next_users(iter([]), Renewal(NEW), NEW, 9, 9).last == START


def test_users_without_events_come_over_and_are_published() -> None:
    updater, store = toy_updater(), MemoryStore()
    some_users(updater, store, 8)
    renew_all(updater, store)
    found = renew_all(swapped(updater), store)
    assert [len(effects.vectors or ()) for effects in found if effects.vectors] == [6, 6, 4]
    assert all(effects.renewal for effects in found)
    assert found[0].declared[0][0][0] == renewal_key(0)
    assert not any(effects.declared for effects in found[1:])
    assert updater.renew([0], store, 3) is None
    right, alone = MemoryStore(), swapped(toy_updater())
    some_users(alone, right, 8)
    updater.release()
    assert states(updater, store, 8) == states(alone, right, 8)


def half_renewed() -> tuple[Updater, MemoryStore]:
    """Five of eight users have come over to the new bundle."""
    updater, store = toy_updater(), MemoryStore()
    some_users(updater, store, 8)
    renew_all(updater, store)
    swapped(updater)
    effects = updater.renew([0], store, 5)
    assert effects is not None
    store.write(effects)
    return updater, store


def test_a_restarted_worker_goes_on_with_what_is_left() -> None:
    updater, store = half_renewed()
    updater.release()  # a crash: only the store is left
    left = renew_all(updater, store, 100)
    assert [effects.counts.renewed for effects in left] == [3]


def test_another_bundle_amid_a_change_publishes_everyone() -> None:
    updater, store = half_renewed()
    found = renew_all(swapped(updater, OLD), store, 100)
    assert [len(effects.vectors or ()) for effects in found] == [16]
    assert sum(effects.counts.renewed for effects in found) == 5


def test_an_event_brings_its_user_over_first() -> None:
    updater, store = toy_updater(), MemoryStore()
    some_users(updater, store, 2)
    swapped(updater)
    after = ("u/000", event(START_MS + 9000, offset=100, item="i9"))
    effects = apply(updater, store, 10, after)
    assert effects.counts.renewed == 1
    assert sum(effects.counts.applied.values()) == 1
    right, alone = MemoryStore(), swapped(toy_updater())
    some_users(alone, right, 2)
    apply(alone, right, 10, after)
    updater.release()
    alone.release()
    assert states(updater, store, 1) == states(alone, right, 1)


def test_a_repeat_brings_nobody_over() -> None:
    """When it is read again after a crash it publishes nothing, so nothing may hang on it."""
    updater, store = toy_updater(), MemoryStore()
    updater.know_sources(["video.click"])
    some_users(updater, store, 1)
    swapped(updater)
    again = ("u/000", event(START_MS, offset=0))
    effects = apply(updater, store, 50, again)
    assert effects.counts.skipped == {"repeated": 1}
    assert effects.vectors is None
    assert [key for key, _ in effects.changelog[0] if key.startswith("u/")] == []


def test_who_is_published_again_is_computed_again() -> None:
    updater, store = toy_updater(), MemoryStore()
    some_users(updater, store, 1)
    swapped(updater)
    replayed = ("u/000", event(START_MS, offset=0))
    effects = apply(updater, store, 0, replayed)
    assert effects.counts.skipped == {"replayed": 1}
    assert effects.vectors is not None
    state = updater.slab.rows["current"][updater.slab.find("u/000")]
    assert (effects.vectors.vectors[0] == OtherModel().migrate(state[None])[0, 0]).all()
    assert int(updater.slab.rows["bundle"][updater.slab.find("u/000")]) == NEW


def test_a_history_of_another_bundle_is_merged_as_this_ones() -> None:
    updater, store = toy_updater(), MemoryStore()
    local = local_key("shop", "c-1")
    shop = [
        event(START_MS + 500 + n, offset=n, platform="shop", item="i3", identity=100 + n)
        for n in range(3)
    ]
    apply(updater, store, 0, *((local, e) for e in shop))
    some_users(updater, store, 1)
    link = Link(Via("shop.links", 0, 0), "shop", "c-1", "000", START_MS)
    effects = apply(updater, store, 20, (local, link))
    key, adopt = effects.forwards[0]
    swapped(updater)
    apply(updater, store, 21, (key, adopt))
    row = updater.slab.find("u/000")
    assert updater.slab.rows["counts"][row].sum() == 8
    right, alone = MemoryStore(), swapped(toy_updater(linked=False))
    own = [event(START_MS + 1000 * k, offset=k, item=f"i{k}") for k in range(5)]
    merged = sorted([*shop, *own], key=lambda e: e.time_ms)
    apply(alone, right, 0, *((key, e) for e in merged))
    want = alone.slab.rows["current"][alone.slab.find("u/000")]
    assert np.array_equal(updater.slab.rows["current"][row], want)


def test_a_bundle_with_states_of_another_size_takes_the_windows_over() -> None:
    updater, store = toy_updater(), MemoryStore()
    some_users(updater, store, 3)

    class Wide(OtherModel):
        def step(self, state: Any, item: Any, platform: Any, action: Any, dt: Any) -> Any:
            wide = np.concatenate([item, item], axis=1)
            return super().step(state, wide, platform, action, dt)

    slab = Slab(Layout(len(PLATFORMS), 2 * S, updater.slab.layout.window), NEW, 256)
    updater.swap(ActiveBundle(slab, toy_catalogue(), Wide(), updater.directory, ACTIONS))
    found = renew_all(updater, store)
    assert sum(effects.counts.renewed for effects in found) == 3
    row = updater.slab.find("u/001")
    assert updater.slab.rows["current"][row].shape == (2 * S,)
    assert updater.slab.rows["counts"][row].sum() == 5


def test_users_of_a_batch_come_over_in_pieces_before_it() -> None:
    updater, store = toy_updater(window=16), MemoryStore()
    some_users(updater, store, 6)
    swapped(updater)
    at = 6 * 5
    records = [
        *((f"u/{n:03}", event(START_MS + 9_000, offset=at + n, item="i9")) for n in range(4)),
        ("u/new", event(START_MS, offset=at + 4, item="i1")),
        ("nonsense", event(START_MS, offset=at + 5, item="i1")),
    ]
    late = batch(0, at, records)
    stale = updater.stale([late, late], store)
    assert stale == {0: [f"u/{n:03}" for n in range(4)]}
    for start in (0, 2):
        effects = updater.bring_over(0, stale[0][start : start + 2], store)
        assert effects.renewal  # their vectors are out before the changelog says so
        assert effects.vectors is not None
        assert set(effects.vectors.users) == {"000", "001"} if not start else {"002", "003"}
        store.write(effects)
        updater.slab.flushed(updater.slab.batch)
    assert updater.stale([late], store) == {}
    effects = updater.process([late], store)
    assert effects.counts.renewed == 0
    store.write(effects)
    found = states(updater, store, 4)

    whole, other = toy_updater(window=16), MemoryStore()
    some_users(whole, other, 6)
    swapped(whole)
    other.write(whole.process([late], other))
    assert states(whole, other, 4) == found


def test_where_all_have_come_over_nothing_is_looked_up() -> None:
    updater, store = toy_updater(), MemoryStore()
    some_users(updater, store, 2)
    swapped(updater)
    renew_all(updater, store)

    class Closed(MemoryStore):
        def get_many(self, partition: int, keys: Any) -> Any:
            raise AssertionError(keys)

    assert updater.stale([batch(0, 10, [("u/000", event(START_MS, offset=10))])], Closed()) == {}
