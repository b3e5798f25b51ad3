"""A local id of an erased user is nobody's, and has a mark of its own."""

from __future__ import annotations

from streams.log.records import Forget, Via
from tests.unit.streams.toy import LOG
from tests.unit.streams.update.one_partition import (
    ANN,
    AT_MS,
    BOB,
    SHOP,
    Line,
    erase,
    happens,
    link,
)


def test_a_local_id_of_an_erased_user_keeps_its_own_mark() -> None:
    line = Line().send((SHOP, link(0, "ann")), (SHOP, happens(1, 1, "shop")), (ANN, erase()))
    line.send((SHOP, happens(2, 102, "shop")))
    assert line.topic == {}
    assert line.events(SHOP) == 0


def test_a_link_that_moved_on_before_the_erasure_stays() -> None:
    line = Line().send((SHOP, link(0, "ann")), (ANN, happens(1, 1)), (SHOP, link(1, "bob")))
    line.send((BOB, happens(2, 2)), (ANN, erase()))
    assert set(line.topic) == {(0, "bob"), (1, "1"), (2, "bob")}
    forget = Forget(Via(LOG, 0, 999), "shop", "1", "ann", AT_MS, False, AT_MS)
    line.send((SHOP, forget))
    assert line.topic[1, "1"] == 1
    assert line.row(BOB)[1].local_ids == [("shop", "1")]
