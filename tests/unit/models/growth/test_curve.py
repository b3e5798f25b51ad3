"""A platform taken for a new one: both ways of training see the same few people, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from models.config import ModelConfig, TrainConfig
from models.data.table import EventTable
from models.errors import DataError
from models.growth import curve as module
from models.growth.curve import growth_curve
from models.growth.new_platform import fit_platform
from models.protocols import PROTOCOLS
from models.protocols.cases import Split
from models.training.checkpoint import Checkpoint
from models.training.fit import Trained, fit
from tests.people import people_table
from tests.unit.models.growth.test_new_platform import tiny

Seen = list[tuple[str, Split, TrainConfig]]


def spied(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What each training is given."""
    seen: Seen = []

    def from_nothing(split: Split, model: ModelConfig, config: TrainConfig) -> Trained:
        seen.append(("fit", split, config))
        return fit(split, model, config)

    def onto(base: Checkpoint, split: Split, config: TrainConfig) -> Trained:
        seen.append(("grow", split, config))
        return fit_platform(base, split, config)

    monkeypatch.setattr(module, "fit", from_nothing)
    monkeypatch.setattr(module, "fit_platform", onto)
    return seen


def held_out(table: EventTable, protocol: str) -> set[tuple[int, int]]:
    """User and time of each case."""
    split = PROTOCOLS[protocol](table, 0)
    rows = np.concatenate([split.validation.row, split.test.row])
    return set(zip(table.user[rows].tolist(), table.time_ms[rows].tolist(), strict=True))


@pytest.mark.parametrize("protocol", ["abxi", "temporal"])
def test_both_ways_learn_from_the_same_few_people(
    monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    seen, table = spied(monkeypatch), people_table(users=60)
    points = growth_curve(table, "video", protocol, tiny(epochs=1), shares=(0.2, 0.5))
    (_, base, usual), *rest = seen
    assert base.table.platforms == ("shop",)
    assert usual.batch == 16
    assert [name for name, _, _ in rest] == ["grow", "fit", "grow", "fit"]
    cases = held_out(table, protocol)
    people = []
    for (_, grown, first), (_, scratch, second) in (rest[:2], rest[2:]):
        assert grown is scratch
        assert first == second
        few = grown.table
        assert few.platforms == ("shop", "video")
        assert set(few.platform[grown.validation.row].tolist()) == {1}
        known = set(zip(few.user.tolist(), few.time_ms.tolist(), strict=True))
        assert not known & cases
        people.append(set(few.user.tolist()))
    assert people[0] < people[1]
    assert [point.people for point in points] == [len(one) for one in people]
    assert points[0].events < points[1].events
    for point in points:
        assert 0 <= point.grown["ndcg@10"] <= 1
        assert point.grown != point.scratch


def test_only_the_drawn_peoples_events_count_for_the_trend() -> None:
    split = PROTOCOLS["temporal"](people_table(users=10), 0)
    drawn = np.arange(10) < 3
    seen = module._seen(split, drawn)
    table = split.table
    last = table.platform == 1
    assert seen.observed is not None
    for rows in (seen.train, seen.observed):
        assert set(table.user[rows & last].tolist()) == {0, 1, 2}
    assert np.array_equal(seen.train & ~last, split.train & ~last)


def test_the_platform_must_be_one_of_several() -> None:
    with pytest.raises(DataError, match=r"'news' can't be taken .* the data has video, shop"):
        growth_curve(people_table(users=9), "news", "abxi", tiny())
