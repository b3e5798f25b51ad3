"""The order in which a batch's effects reach the world."""

from __future__ import annotations

import pytest

from streams.interest.effects import Effects
from streams.interest.log import Link, Via
from streams.interest.stages import Part, stages_of

FORWARD = ("u/ann", Link(Via("t", 0, 0), "shop", "c-1", "ann", 0))


@pytest.mark.parametrize("effects", [Effects(), Effects(forwards=[FORWARD])])
def test_what_must_be_acknowledged_before_what(effects: Effects) -> None:
    place = {part: n for n, stage in enumerate(stages_of(effects)) for part in stage}
    assert sum(map(len, stages_of(effects))) == len(place)  # nothing is done twice
    assert set(Part) - set(place) == (set() if effects.forwards else {Part.FORWARDS})
    assert place.get(Part.FORWARDS, -1) < place[Part.CHANGELOG] < place[Part.STORE]
    sent = (Part.CHANGELOG, Part.VECTORS, Part.TOMBSTONES, Part.LETTERS)
    assert all(place[part] < place[Part.FINISH] for part in (*sent, Part.STORE))
