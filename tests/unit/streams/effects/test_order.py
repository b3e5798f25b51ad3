"""The order in which a batch's effects reach the world."""

from __future__ import annotations

import pytest

from streams.effects.effects import Effects, Erased
from streams.effects.order import Part, phases_of
from streams.log.records import Link, LogRecord, Via

FORWARD = ("u/ann", Link(Via("t", 0, 0), "shop", "c-1", "ann", 0))


ENTRY: list[tuple[str, bytes | None]] = [("\0bundle/0", b"x")]


@pytest.mark.parametrize("declared", [{}, {0: ENTRY}])
@pytest.mark.parametrize("erased", [[], [Erased("", "ann")]])
@pytest.mark.parametrize("forwards", [[], [FORWARD]])
def test_what_must_be_acknowledged_before_what(
    forwards: list[tuple[str, LogRecord]],
    erased: list[Erased],
    declared: dict[int, list[tuple[str, bytes | None]]],
) -> None:
    effects = Effects(forwards=forwards, erased=erased, declared=declared)
    place = {part: n for n, phase in enumerate(phases_of(effects)) for part in phase}
    assert sum(map(len, phases_of(effects))) == len(place)  # nothing is done twice
    missing = {Part.FORWARDS: not forwards, Part.SWEEP: not erased, Part.DECLARED: not declared}
    assert set(Part) - set(place) == {part for part, absent in missing.items() if absent}
    assert place.get(Part.FORWARDS, -1) < place[Part.CHANGELOG] < place[Part.STORE]
    sent = (Part.CHANGELOG, Part.VECTORS, Part.TOMBSTONES, Part.DEAD_LETTERS)
    assert all(place[part] < place[Part.FINISH] for part in (*sent, Part.STORE))
    assert place[Part.DEAD_LETTERS] < place.get(Part.SWEEP, 99)
    assert place.get(Part.SWEEP, -1) < place[Part.FINISH]
    assert place.get(Part.DECLARED, -1) < min(place[Part.VECTORS], place[Part.CHANGELOG])


def test_a_renewals_vectors_are_out_before_the_changelog_says_so() -> None:
    phases = phases_of(Effects(renewal=True, declared={0: ENTRY}))
    place = {part: n for n, phase in enumerate(phases) for part in phase}
    assert place[Part.DECLARED] < place[Part.VECTORS] == place[Part.TOMBSTONES]
    assert place[Part.VECTORS] < place[Part.CHANGELOG] < place[Part.STORE] < place[Part.FINISH]
