"""Erasure: what remains is a mark, and nothing of before comes back."""

from __future__ import annotations

import pytest

from streams.effects.effects import Erased
from streams.log.records import Consent, Erase, LogRecord, Via
from streams.windows.slab import NEVER
from tests.unit.streams.toy import START_MS
from tests.unit.streams.update.one_partition import (
    ANN,
    AT_MS,
    BOB,
    SHOP,
    Line,
    erase,
    happens,
    lift,
    link,
)


def test_nothing_of_an_erased_user_remains_but_the_mark() -> None:
    line = Line().send(*((ANN, happens(n, n)) for n in range(20)), (ANN, erase()))
    row, tail = line.row(ANN)
    assert not row["current"].any()
    assert not row["middle"].any()
    assert not row["base"].any()
    assert not row["ring"].view("u1").any()
    assert not row["counts"].any()
    assert row["base_ms"] == 0
    assert tail.privacy is not None
    assert tail.privacy.erased_ms == AT_MS
    assert line.topic == {}
    assert line.swept == [Erased("", "ann")]


def test_erasure_takes_the_vectors_back_on_every_target_and_for_every_local_id() -> None:
    line = Line().send((ANN, happens(1, 1)), (SHOP, link(0, "ann")), (SHOP, happens(2, 2, "shop")))
    assert set(line.topic) == {(0, "ann"), (1, "1"), (2, "ann")}
    line.send((ANN, erase()))
    assert line.topic == {}
    assert line.row(ANN)[1].local_ids == []
    assert set(line.swept) == {Erased("", "ann"), Erased("shop", "1")}
    line.send((SHOP, happens(30, 3, "shop")))
    assert line.topic == {(1, "1"): 1}, "the local id begins anew, for nobody"


def test_what_happened_before_an_erasure_never_counts_again() -> None:
    line = Line().send((ANN, happens(1, 1)), (ANN, erase()))
    line.send((ANN, happens(1, 101)), (ANN, happens(10, 102)))
    assert line.topic == {}
    assert line.events(ANN) == 0
    line.send((ANN, happens(10.001, 103)))
    assert line.topic == {(0, "ann"): 1, (2, "ann"): 1}


def test_an_id_that_is_refused_counts_nothing_until_the_erasure_is_lifted() -> None:
    line = Line().send((ANN, happens(1, 1)), (ANN, erase(refuse=True)), (ANN, happens(30, 2)))
    assert line.topic == {}
    line.send((ANN, lift(1)), (ANN, happens(31, 3)))
    assert line.events(ANN) == 1


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_lifted_erasure_takes_nothing_from_what_targets_with_consent_have(
    *, erased: bool, at_once: bool
) -> None:
    denied = Consent(Via("interest.consent", 0, 0), True, (("video", "*"), ("shop", "shop")), 0)
    records: list[tuple[str, LogRecord]] = [(ANN, denied), *([(ANN, erase())] if erased else [])]
    records += [(ANN, happens(20 + n, n, ("video", "shop")[n % 2])) for n in range(40)]
    line = Line()
    if not at_once:
        line.send(*records)
        records = []
    line.send(*records, (ANN, lift(1)))
    counts = {(0, "ann"): 20, (2, "ann"): 20}
    assert line.topic == counts, "more than the window of 8 holds"
    line.again()
    assert line.topic == counts
    line.send((ANN, happens(70, 40)))
    assert line.topic == dict.fromkeys(counts, 21)


def test_erasure_of_a_local_id_reaches_whose_it_is() -> None:
    line = Line().send((ANN, happens(1, 1)), (SHOP, link(0, "ann")), (SHOP, erase()))
    assert line.topic == {}
    assert line.events(ANN) == 0
    alone = Line().send((SHOP, happens(1, 1, "shop")), (SHOP, erase()))
    assert alone.topic == {}
    assert alone.swept == [Erased("shop", "1")]


def test_an_erased_local_id_that_is_linked_in_the_same_batch_is_its_users() -> None:
    line = Line().send((SHOP, happens(1, 1, "shop")), (SHOP, erase()), (SHOP, link(0, "ann", 11)))
    line.send((SHOP, happens(12, 2, "shop")))
    assert line.topic == {(0, "ann"): 1, (1, "1"): 1, (2, "ann"): 1}


def test_what_a_user_denied_stays_denied_after_an_erasure() -> None:
    wish = Consent(Via("interest.consent", 0, 0), False, (("video", "news"),), START_MS)
    line = Line().send((ANN, wish), (ANN, happens(1, 1)), (ANN, erase()), (ANN, happens(11, 2)))
    assert line.topic == {(0, "ann"): 1}


@pytest.mark.parametrize("record", [erase(), erase(refuse=True)])
def test_a_crash_amid_an_erasure_completes_it_later(record: Erase) -> None:
    line = Line().send((ANN, happens(1, 1)), (SHOP, link(0, "ann")), (SHOP, happens(2, 2, "shop")))
    line.crash_before_publishing((ANN, record))
    assert line.topic == {}
    assert {Erased("", "ann"), Erased("shop", "1")} <= set(line.swept)


def test_reading_everything_again_brings_nothing_back() -> None:
    line = Line().send((ANN, happens(1, 1)), (SHOP, link(0, "ann")), (SHOP, happens(2, 2, "shop")))
    line.send((ANN, erase()), (ANN, happens(20, 3)))
    before = dict(line.store.values)
    line.again()
    assert line.store.values.keys() == before.keys()
    assert line.events(ANN) == 1
    assert line.topic == {(0, "ann"): 1, (2, "ann"): 1}


def test_a_mark_leaves_the_slab_with_its_user() -> None:
    line = Line().send((ANN, erase()))
    slab = line.updater.slab
    assert slab.special.sum() == 1
    line.updater.release()
    assert not slab.special.any()
    assert not slab.privacy
    line.send((BOB, happens(1, 1)))
    row = slab.find(BOB)
    assert row is not None
    assert slab.newest_ms[row] != NEVER


@pytest.mark.parametrize(
    "record", [erase(), Consent(Via("interest.consent", 0, 1), False, (("video", "*"),), 0)]
)
def test_a_repeated_record_does_nothing(record: LogRecord) -> None:
    line = Line().send((ANN, erase()), (ANN, Consent(Via("interest.consent", 0, 1), False, (), 0)))
    line.send((ANN, happens(20, 3)), (ANN, record))
    assert line.events(ANN) == 1
