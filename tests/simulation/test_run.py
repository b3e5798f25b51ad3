"""A long run in processes comes to what one after the other comes to, and can go on later."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.simulation import run
from tests.simulation.machines.tally import Tally
from tests.simulation.report import Done, OtherRunError, Report, joined
from tests.simulation.run import ChunkError, in_processes, try_seeds

RUN = {"with_zombies": True, "code": "abc"}


def test_processes_come_to_the_same_sums_as_one_after_the_other() -> None:
    together, report = try_seeds(0, 12, zombies=True), Report(RUN)
    for done in in_processes([(0, 5), (5, 5), (10, 2)], 2, zombies=True):
        report.add(done)
    assert report.tally == together.tally
    assert report.tried == [(0, 12)]


def test_a_run_that_is_cut_off_goes_on_with_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "simulate.json"
    monkeypatch.setattr(run, "CHUNK", 3)

    def command(schedules: int, *more: str) -> dict[str, object]:
        argv = ["run", "--schedules", str(schedules), "--report", str(path), *more]
        monkeypatch.setattr(sys, "argv", argv)
        assert run.main() == 0
        found: dict[str, object] = json.loads(path.read_text())
        return found

    assert command(4)["tried"] == [[0, 4]]
    whole = command(8, "--resume")
    wanted = try_seeds(0, 8, zombies=True).tally
    assert whole["tried"] == [[0, 8]]
    assert {name: whole[name] for name in ("schedules", "crashes", "steps")} == {
        "schedules": 8,
        "crashes": wanted.crashes,
        "steps": wanted.steps,
    }
    assert command(8, "--resume")["schedules"] == 8  # nothing is left to do


def test_what_is_missing_is_between_what_was_tried() -> None:
    report = Report(RUN, tried=[(0, 4), (10, 2)])
    assert report.missing(0, 15, 4) == [(4, 4), (8, 2), (12, 3)]
    assert report.missing(0, 4, 4) == []
    assert report.missing(2, 4, 4) == [(4, 2)]
    assert joined([(4, 2), (0, 4), (8, 1)]) == [(0, 6), (8, 1)]


def test_violations_are_told_with_their_seeds(tmp_path: Path) -> None:
    report = Report(RUN)
    report.add(Done(5, 5, Tally(schedules=5, violations=1), [(7, "lost")]))
    report.add(Done(0, 5, Tally(schedules=5, violations=1), [(2, "twice")]))
    report.write(tmp_path / "report.json")
    found = Report.read(tmp_path / "report.json", RUN)
    assert found == report
    assert found.broken == [(2, "twice"), (7, "lost")]
    assert found.tally.violations == 2


def test_a_report_of_other_code_isnt_gone_on_from(tmp_path: Path) -> None:
    Report(RUN).write(tmp_path / "report.json")
    with pytest.raises(OtherRunError, match="code is 'abc', here 'other'"):
        Report.read(tmp_path / "report.json", RUN | {"code": "other"})


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "try_seeds", lambda *_, **__: os._exit(9))
    with pytest.raises(ChunkError, match="seeds from 40 on: the process ended with exit code 9"):
        list(in_processes([(40, 1)], 1, zombies=True))
