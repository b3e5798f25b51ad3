"""A worker that is ready without its users' histories isn't taken for recovered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench.parts.recovery import HISTORY, one_event
from tests.bench.peers import job
from tests.bench.race import race
from tests.bench.race.broker import Record
from tests.bench.race.checks import WrongError
from tests.bench.race.contestant import Contestant, Place
from tests.bench.race.contestants import FAUST, OURS
from tests.bench.race.process import EndedError
from tests.bench.race.race import Job, Race
from tests.bench.race.traffic import START_MS

PLACE = Place("nowhere", "run", 4, Path(), Path(), Path())


class Told:
    """A topic with one vector of the first user, of so many events."""

    def __init__(self, events: int) -> None:
        self._value = job.encode_vector(job.Vector("user-000000", events, 0, 0, b""))

    def names(self) -> set[str]:
        return {FAUST.vectors(PLACE)}

    def ends(self, _topic: str, partitions: int) -> list[int]:
        return [1] + [0] * (partitions - 1)

    def read(self, *_: Any) -> list[Record]:
        return [Record(0, 0, 0.0, b"user-000000", self._value)]


class Alive:
    """A process."""

    def check(self) -> None: ...

    def error(self, what: str) -> EndedError:
        return EndedError(what)


def wait_for_one_more(events: int) -> list[Record]:
    found: Any = Race.__new__(Race)
    found.topics = Told(events)
    process: Any = Alive()
    seen: list[Record] = found.until_applied(
        FAUST, PLACE, Job(one_event(4), 0, history=HISTORY), [process], 1
    )
    return seen


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "QUIET_S", 0.001)
    monkeypatch.setattr(race, "STALL_S", 0.02)


def test_a_history_and_one_event_more_is_what_is_waited_for() -> None:
    assert len(wait_for_one_more(HISTORY + 1)) == 1


def test_a_history_that_is_not_there_is_an_error_that_says_so() -> None:
    with pytest.raises(EndedError, match="-99 of 1 events beside 100 of each user before"):
        wait_for_one_more(1)


def test_more_events_than_there_were_are_wrong() -> None:
    with pytest.raises(WrongError, match="applied 2 of 1"):
        wait_for_one_more(HISTORY + 2)


@pytest.mark.parametrize("contestant", [OURS, FAUST])
def test_the_event_is_of_a_user_whose_row_is_in_the_changelog(contestant: Contestant) -> None:
    one = one_event(4)
    assert one.keys == [b"u/user-000000"]
    assert len(contestant.records(PLACE, one, ["item-0"])) == 1
    assert one.time_ms[0] > START_MS
