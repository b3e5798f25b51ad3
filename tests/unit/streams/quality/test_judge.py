"""Live quality: which events are judged, and where their items rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models.contract import ACTIONS
from streams.quality.judge import (
    CASES_KEPT,
    Candidates,
    Cases,
    Judge,
    Popularity,
    Sampler,
    rank_of,
)
from streams.update.updater import Updater
from streams.windows.slab import Slab
from streams.windows.stored_value import Layout
from tests.unit.streams.toy import (
    DAY_MS,
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
from tests.unit.streams.update.test_renewal import OtherModel

REFUND = ACTIONS.index("refund")


class Ranked:
    """Output vectors of ``n`` items named i0, i1, ..."""

    def __init__(self, seed: int, n: int = 20) -> None:
        self.id_list: Sequence[str] = [f"i{k}" for k in range(n)]
        rng = np.random.default_rng(seed)
        self.vectors_out: NDArray[np.float16] = rng.normal(size=(n, S)).astype(np.float16)


ITEMS = {name: Ranked(k) for k, name in enumerate(PLATFORMS)}


def make_judge(model: ToyModel, window: int = 8, candidates: int = 1000) -> Judge:
    layout = Layout(len(PLATFORMS), S, window)
    return Judge(
        "b",
        model,
        toy_catalogue(),
        ITEMS,
        layout,
        candidates=candidates,
        horizon_ms=30 * DAY_MS,
    )


def watched(rate: float = 1.0) -> tuple[Updater, Sampler, MemoryStore]:
    updater = toy_updater()
    popularity = Popularity([20] * len(PLATFORMS), 1000.0)
    sampler = Sampler(make_judge(ToyModel()), rate, REFUND, popularity)
    updater.observer = sampler
    return updater, sampler, MemoryStore()


def test_ties_count_half_and_an_item_does_not_rank_against_itself() -> None:
    scores = np.array([[3.0, 2.0, 2.0, 1.0, 2.0]])
    itself = np.array([[False, False, True, False, False]])
    assert rank_of(scores, np.array([2.0]), itself).tolist() == [3.0]


def test_of_a_large_catalogue_a_fixed_sample_ranks() -> None:
    items = Ranked(1, 500)
    some, again = Candidates(items, 100), Candidates(items, 100)
    assert len(some.rows) == 100
    assert (some.rows == again.rows).all()
    more = Ranked(1, 520)
    kept = len(set(Candidates(more, 100).rows.tolist()) & set(some.rows.tolist()))
    assert kept > 80  # another bundle with nearly the same items: nearly the same sample
    vectors = np.random.default_rng(2).normal(size=(3, S)).astype(np.float32)
    outside = np.array([r for r in range(500) if r not in set(some.rows.tolist())][:3])
    own = (vectors * items.vectors_out[outside]).sum(axis=1)
    others = vectors @ items.vectors_out[some.rows].astype(np.float32).T
    assert some.ranks(vectors, outside).tolist() == (1 + (others > own[:, None]).sum(1)).tolist()


def test_popularity_counts_what_came_lately() -> None:
    popularity = Popularity([5, 5], half_life=10.0)
    among = np.arange(5)
    popularity.count(np.zeros(6, np.int64), np.array([0, 0, 0, 1, 1, 7]))
    assert [popularity.rank(0, item, among) for item in range(5)] == [1, 2, 4, 4, 4]
    assert popularity.rank(1, 0, among) == 3  # nothing is known: all are tied
    popularity.count(np.zeros(20, np.int64), np.full(20, 2))
    popularity.count(np.zeros(2, np.int64), np.array([1, 1]))
    assert [popularity.rank(0, item, among) for item in (2, 1, 0)] == [1, 2, 3]


def test_popularity_never_overflows_and_goes_on_under_another_bundle() -> None:
    popularity = Popularity([3], half_life=1.0)
    for _ in range(100):
        popularity.count(np.zeros(100, np.int64), np.arange(100) % 3)
    assert np.isfinite(popularity._counts[0]).all()
    popularity.count(np.zeros(5, np.int64), np.full(5, 1))
    after = Popularity([4], half_life=1.0)
    after.carry(0, np.array([3, 0]), popularity, np.array([1, 2]))
    assert after.rank(0, 3, np.arange(4)) == 1


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


def test_a_shadows_states_are_those_of_the_windows() -> None:
    updater, sampler, store = watched()
    for number in range(12):  # more than the window of 8
        records = [
            (f"u/{n}", event(START_MS + 1000 * number, offset=3 * number + n, item=f"i{number}"))
            for n in range(3)
        ]
        updater.process([batch(0, 3 * number, records)], store)
    *_, cases = sampler.take()
    shadow = make_judge(OtherModel())
    states = shadow.states_from_windows(cases, updater.slab.layout)
    alone = toy_updater()
    alone.swap(
        Slab(updater.slab.layout, 9, 64),
        toy_catalogue(),
        OtherModel(),
        updater.directory,
        ACTIONS,
    )
    window = [event(START_MS + 1000 * k, offset=k, item=f"i{k}") for k in range(3, 11)]
    alone.process([batch(0, 0, [("u/0", e) for e in window])], MemoryStore())
    want = alone.slab.rows["current"][alone.slab.find("u/0")]
    assert all((state == want).all() for state in states)
    assert np.isfinite(shadow.ranks(cases, states)).all()


def test_an_item_that_a_bundle_does_not_have_is_not_ranked_by_it() -> None:
    judge = make_judge(ToyModel())
    layout = Layout(len(PLATFORMS), S, 8)
    rows = np.stack([layout.empty_row(7)] * 2)
    known = toy_catalogue().items[0].get("i3")
    assert known is not None
    cases = Cases(np.zeros(2, np.int64), np.array([known.hash40, 12345]), rows, np.ones(2))
    ranks = judge.ranks(cases, rows["current"])
    assert np.isfinite(ranks[0])
    assert np.isnan(ranks[1])


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
