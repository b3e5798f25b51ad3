"""Cases are ranked by a bundle's vectors, a shadow's too."""

from __future__ import annotations

import numpy as np

from models.contract import ACTIONS
from streams.quality.cases import Cases
from streams.update.context import ActiveBundle
from streams.windows.layout import Layout
from streams.windows.slab import Slab
from tests.unit.streams.quality.ranked import make_judge, watched
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
from tests.unit.streams.update.test_renewal import OtherModel


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
    slab = Slab(updater.slab.layout, 9, 64)
    alone.swap(ActiveBundle(slab, toy_catalogue(), OtherModel(), updater.directory, ACTIONS))
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
