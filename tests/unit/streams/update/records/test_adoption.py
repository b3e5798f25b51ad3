"""A history that comes with a link obeys erasure and consent, and may be unreadable."""

from __future__ import annotations

from streams.log import codec
from streams.log.records import Adopt, Consent, Via
from streams.update.records.adoption import ADOPTED
from streams.windows.stored_value import decode_value, encode_pointer
from tests.unit.streams.toy import (
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)
from tests.unit.streams.update.one_partition import ANN, BOB, SHOP, Line, erase, happens, link


def test_a_history_that_comes_with_a_link_after_the_erasure_has_nothing_of_before() -> None:
    line = Line().send((ANN, erase()), *((SHOP, happens(n, n, "shop")) for n in (5, 9, 12, 13)))
    line.send((SHOP, link(0, "ann", 14)))
    assert line.events(ANN) == 2
    assert set(line.topic) == {(0, "ann"), (1, "1"), (2, "ann")}


def test_an_id_that_is_refused_gets_no_local_ids() -> None:
    line = Line().send((ANN, erase(refuse=True)), (SHOP, happens(20, 1, "shop")))
    line.send((SHOP, link(0, "ann", 29)), (SHOP, happens(30, 2, "shop")))
    assert line.topic == {}
    assert line.row(ANN)[1].local_ids == []
    assert line.store.values[0, SHOP][0] != 1, "no pointer names the erased user"
    line.send((SHOP, link(1, "bob")), (SHOP, happens(31, 3, "shop")))
    assert line.events(BOB) == 1


def test_an_adopted_history_obeys_consent() -> None:
    wish = Consent(Via("interest.consent", 0, 0), False, (("shop", "video"),), START_MS)
    line = Line().send((ANN, wish), (ANN, happens(1, 1)), (SHOP, happens(2, 2, "shop")))
    line.send((SHOP, link(0, "ann")))
    assert line.topic == {(0, "ann"): 1, (1, "1"): 2, (2, "ann"): 2}
    line.send((SHOP, happens(3, 3, "shop")))
    assert line.topic == {(0, "ann"): 1, (1, "1"): 3, (2, "ann"): 3}


def test_a_link_of_before_the_erasure_does_not_outlive_it_though_it_is_read_later() -> None:
    line = Line().send((ANN, erase()), (SHOP, happens(5, 1, "shop")), (SHOP, link(0, "ann", 9)))
    assert line.topic == {}
    assert line.row(ANN)[1].local_ids == []
    assert (line.events(ANN), line.events(SHOP)) == (0, 0)


def stored_ann(store: MemoryStore) -> bytes:
    """Let ann have three events, and return her stored value."""
    updater = toy_updater()
    records = [("u/ann", event(START_MS + n, offset=n)) for n in range(3)]
    store.write(updater.process([batch(0, 0, records)], store))
    return store.values[0, "u/ann"]


def test_an_adopted_history_that_can_t_be_read_is_left_out() -> None:
    store = MemoryStore()
    value = stored_ann(store)
    garbage = (b"\xcf" + value[1:], b"\xcf1234567", encode_pointer("x")[:1] * 40, b"\x11\xff" * 30)
    for state in (value[:-1], value[:20], value[:-1] + b"\xff", *garbage):
        updater, records = toy_updater(), MemoryStore()
        adopt = Adopt(Via("interest.events", 1, 5), "shop", "c-1", state, START_MS)
        effects = updater.process([batch(0, 0, [("u/bob", adopt)])], records)
        (letter,) = effects.refused
        assert (letter.reason, letter.key, letter.offset) == (ADOPTED, b"u/bob", 0)
        assert codec.decode(letter.value or b"") == adopt
        records.write(effects)
        _, tail = decode_value(updater.slab.layout, records.values[0, "u/bob"])
        assert tail.local_ids == [("shop", "c-1")]  # the id itself is bob's
