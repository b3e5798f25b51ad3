from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.demo.running import (
    NoDemoError,
    RunningDemo,
    SimClock,
    find_demo,
    leave_note,
    remove_note,
)


def demo(pid: int | None = None) -> RunningDemo:
    clock = SimClock(1_000, 2_000, 3.5)
    return RunningDemo(
        os.getpid() if pid is None else pid,
        "127.0.0.1:1",
        "http://x",
        clock,
        {"shop": "shop.events"},
    )


def test_a_note_is_found_until_it_is_removed(tmp_path: Path) -> None:
    leave_note(demo(), tmp_path)
    assert find_demo(tmp_path) == demo()
    remove_note(demo(), tmp_path)
    with pytest.raises(NoDemoError, match=r"no demo is running.*make demo"):
        find_demo(tmp_path)


def test_the_note_of_a_later_demo_stays(tmp_path: Path) -> None:
    later = demo(os.getppid())
    leave_note(later, tmp_path)
    remove_note(demo(), tmp_path)
    assert find_demo(tmp_path) == later


def test_a_demo_that_died_is_not_found(tmp_path: Path) -> None:
    leave_note(demo(2**22 + 1), tmp_path)
    with pytest.raises(NoDemoError, match="has ended"):
        find_demo(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": 1, "clock": {}}'])
def test_a_damaged_note_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "demo.json").write_text(text)
    with pytest.raises(NoDemoError, match="can't be read"):
        find_demo(tmp_path)


@given(st.integers(10**12, 2 * 10**12), st.floats(1.0, 10_000.0), st.lists(st.integers(0, 10**8)))
def test_simulated_time_never_goes_back_nor_beyond_now(
    wall: int, pace: float, later: list[int]
) -> None:
    clock = SimClock(wall - 10**11, wall, pace)
    times = [clock.at(wall + t) for t in sorted(later)]
    assert times == sorted(times)
    assert all(sim <= wall + t for sim, t in zip(times, sorted(later), strict=True))


@given(st.integers(0, 10**10), st.floats(1.0, 10_000.0))
def test_a_simulated_time_has_come_at_its_wall_time(ahead: int, pace: float) -> None:
    clock = SimClock(10**12, 10**12 + 10**11, pace)
    assert abs(clock.at(clock.wall_at(10**12 + ahead)) - (10**12 + ahead)) <= pace + 1
