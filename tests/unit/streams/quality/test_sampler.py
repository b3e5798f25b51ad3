"""Which events are put aside, and that whoever does it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from streams.quality.sampler import CASES_KEPT
from tests.unit.streams.quality.ranked import ITEMS, watched
from tests.unit.streams.toy import START_MS, ToyModel, batch, event


def test_an_event_is_judged_by_what_was_known_before_it() -> None:
    updater, sampler, store = watched()
    for number in range(4):
        item, time_ms = f"i{number}", START_MS + 1000 * number
        before = updater.slab.find("u/ann")
        state = None if before is None else updater.slab.rows["current"][before].copy()
        new = event(time_ms, offset=number, item=item, platform="shop")
        updater.process([batch(0, number, [("u/ann", new)])], store)
        cases = sampler.take()
        if state is None:
            assert cases == []  # nobody knows anything of the user yet
            continue
        (case,) = cases
        vector = ToyModel().migrate(state[None])[0, 1]
        scores = ITEMS["shop"].vectors_out.astype(np.float32) @ vector
        ranks = sampler.judge.ranks(case, case.rows["current"])
        assert ranks.tolist() == [1 + (scores > scores[number]).sum()]
        assert 1 <= case.popular[0] <= 20


def test_which_events_are_no_cases() -> None:
    updater, sampler, store = watched()
    records = [("u/ann", event(START_MS, offset=0, item="i0"))]
    updater.process([batch(0, 0, records)], store)
    records = [
        ("u/ann", event(START_MS, offset=1, item="i0", identity=1)),  # a producer's retry
        ("u/ann", event(START_MS + 1, offset=2, item="i1", action="refund")),
    ]
    updater.process([batch(0, 1, records)], store)
    records = [("u/ann", event(START_MS + 2, offset=3, item="unheard-of"))]
    updater.process([batch(0, 3, records)], store)
    assert sampler.take() == []
    records = [("u/ann", event(START_MS + k, offset=k, item="i2")) for k in (4, 5)]
    updater.process([batch(0, 4, records)], store)
    assert [len(cases) for cases in sampler.take()] == [1]  # one a user and batch


def test_the_rate_is_the_share_of_events() -> None:
    updater, sampler, store = watched(rate=0.25)
    rng = np.random.default_rng(5)
    for start in (0, 200):
        records = [
            (
                f"u/{n}",
                event(START_MS + start, offset=start + n, identity=int(rng.integers(1 << 32))),
            )
            for n in range(200)
        ]
        updater.process([batch(0, start, records)], store)
    assert 25 <= sum(map(len, sampler.take())) <= 75


def test_too_many_cases_are_dropped_and_counted() -> None:
    updater, sampler, store = watched()
    sampler._count = CASES_KEPT - 1
    for start in (0, 3):
        records = [(f"u/{n}", event(START_MS + start, offset=start + n)) for n in range(3)]
        updater.process([batch(0, start, records)], store)
    assert sum(map(len, sampler.take())) == 1
    assert sampler.dropped == 2


@pytest.mark.parametrize("columns", [True, False])
def test_whoever_looks_on_changes_nothing(columns: bool) -> None:
    values = []
    for looks in (True, False):
        updater, _, store = watched()
        updater.columns_from = 1 if columns else 1 << 30
        if not looks:
            updater.observer = None
        for start in range(0, 60, 20):
            records = [
                (f"u/{n % 3}", event(START_MS + 1000 * n, offset=n, item=f"i{n % 7}"))
                for n in range(start, start + 20)
            ]
            store.write(updater.process([batch(0, start, records)], store))
        values.append(store.values)
    assert values[0] == values[1]
