"""Erasure: what remains is a mark, and nothing of before comes back."""

from __future__ import annotations

import pytest

from streams.effects.effects import Effects, Erased
from streams.log.keys import local_key, user_key
from streams.log.records import Adopt, Consent, Erase, Event, Forget, Link, LogRecord, Via
from streams.update.updater import Updater
from streams.windows.slab import NEVER
from streams.windows.stored_value import decode_value
from tests.unit.streams.toy import LOG, START_MS, MemoryStore, batch, event, toy_updater

ANN, BOB = user_key("ann"), user_key("bob")
SHOP = local_key("shop", "1")
HOUR_MS = 3_600_000
AT_MS = START_MS + 10 * HOUR_MS
WHOLE = 10**9


def erase(offset: int = 0, *, at_ms: int = AT_MS, refuse: bool = False) -> Erase:
    return Erase(Via("interest.erasure", 0, offset), at_ms, refuse, False, at_ms)


def lift(offset: int) -> Erase:
    return Erase(Via("interest.erasure", 0, offset), AT_MS, False, True, AT_MS)


def link(offset: int, user: str | None, hours: float = 0) -> Link:
    stamp = START_MS + round(hours * HOUR_MS)
    return Link(Via("shop.links", 0, offset), "shop", "1", user, stamp)


def happens(hours: float, offset: int, platform: str = "video") -> Event:
    time_ms = START_MS + round(hours * HOUR_MS)
    return event(time_ms, offset=offset, item=f"i{offset % 9}", platform=platform)


class Line:
    """One partition: its log, its store, what subscribers have, and which ids were swept."""

    def __init__(self) -> None:
        self.updater: Updater = toy_updater(window=8)
        self.store = MemoryStore()
        self.log: list[tuple[str, LogRecord]] = []
        self.read = 0
        self.topic: dict[tuple[int, str], int] = {}
        self.swept: list[Erased] = []

    def send(self, *records: tuple[str, LogRecord]) -> Line:
        self.log += records
        while self.read < len(self.log):
            self.perform(self.compute())
            self.read = len(self.log) - len(self.last.forwards)
        return self

    def compute(self) -> Effects:
        effects = self.updater.process([batch(0, self.read, self.log[self.read :])], self.store)
        self.last = effects
        return effects

    def perform(self, effects: Effects, *, published: bool = True) -> None:
        self.log += effects.forwards
        self.store.write(effects)
        if not published:
            return
        self.swept += effects.erased
        if effects.vectors is not None:
            v = effects.vectors
            for place, target in enumerate(v.targets):
                self.topic[target, v.ids[place]] = int(v.events[place])
        for target, name, _ in effects.tombstones:
            self.topic.pop((target, name), None)

    def crash_before_publishing(self, *records: tuple[str, LogRecord]) -> None:
        """The changelog has the batch, the vectors' topics and the dead letters don't."""
        self.log += records
        start = self.read
        self.perform(self.compute(), published=False)
        self.updater.release()
        self.read = start
        self.send()

    def again(self) -> None:
        """Everything is read again from the beginning."""
        self.updater.release()
        self.read = 0
        self.send()

    def events(self, key: str) -> int:
        row, _ = self.row(key)
        return int(row["counts"].sum())

    def row(self, key: str):  # type: ignore[no-untyped-def]
        return decode_value(self.updater.slab.layout, self.store.values[0, key])


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


def test_a_local_id_of_an_erased_user_keeps_its_own_mark() -> None:
    line = Line().send((SHOP, link(0, "ann")), (SHOP, happens(1, 1, "shop")), (ANN, erase()))
    line.send((SHOP, happens(2, 102, "shop")))
    assert line.topic == {}
    assert line.events(SHOP) == 0


def test_a_link_of_before_the_erasure_does_not_outlive_it_though_it_is_read_later() -> None:
    line = Line().send((ANN, erase()), (SHOP, happens(5, 1, "shop")), (SHOP, link(0, "ann", 9)))
    assert line.topic == {}
    assert line.row(ANN)[1].local_ids == []
    assert (line.events(ANN), line.events(SHOP)) == (0, 0)


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


def test_an_id_that_is_refused_gets_no_local_ids() -> None:
    line = Line().send((ANN, erase(refuse=True)), (SHOP, happens(20, 1, "shop")))
    line.send((SHOP, link(0, "ann", 29)), (SHOP, happens(30, 2, "shop")))
    assert line.topic == {}
    assert line.row(ANN)[1].local_ids == []
    assert line.store.values[0, SHOP][0] != 1, "no pointer names the erased user"
    line.send((SHOP, link(1, "bob")), (SHOP, happens(31, 3, "shop")))
    assert line.events(BOB) == 1


def test_a_history_that_comes_with_a_link_after_the_erasure_has_nothing_of_before() -> None:
    line = Line().send((ANN, erase()), *((SHOP, happens(n, n, "shop")) for n in (5, 9, 12, 13)))
    line.send((SHOP, link(0, "ann", 14)))
    assert line.events(ANN) == 2
    assert set(line.topic) == {(0, "ann"), (1, "1"), (2, "ann")}


def test_a_link_that_moved_on_before_the_erasure_stays() -> None:
    line = Line().send((SHOP, link(0, "ann")), (ANN, happens(1, 1)), (SHOP, link(1, "bob")))
    line.send((BOB, happens(2, 2)), (ANN, erase()))
    assert set(line.topic) == {(0, "bob"), (1, "1"), (2, "bob")}
    forget = Forget(Via(LOG, 0, 999), "shop", "1", "ann", AT_MS, False, AT_MS)
    line.send((SHOP, forget))
    assert line.topic[1, "1"] == 1
    assert line.row(BOB)[1].local_ids == [("shop", "1")]


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


def test_an_adopted_history_obeys_consent() -> None:
    wish = Consent(Via("interest.consent", 0, 0), False, (("shop", "video"),), START_MS)
    line = Line().send((ANN, wish), (ANN, happens(1, 1)), (SHOP, happens(2, 2, "shop")))
    line.send((SHOP, link(0, "ann")))
    assert line.topic == {(0, "ann"): 1, (1, "1"): 2, (2, "ann"): 2}
    line.send((SHOP, happens(3, 3, "shop")))
    assert line.topic == {(0, "ann"): 1, (1, "1"): 3, (2, "ann"): 3}


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


def test_records_under_a_wrong_key_are_refused() -> None:
    line = Line()
    wish = Consent(Via("interest.consent", 0, 0), False, (("video", "*"),), 0)
    forget = Forget(Via(LOG, 0, 999), "shop", "1", "ann", AT_MS, False, AT_MS)
    adopt = Adopt(Via(LOG, 0, 998), "nowhere", "1", b"", 0)
    line.log += [(SHOP, wish), (ANN, forget), (ANN, adopt)]
    assert len(line.compute().refused) == 3
