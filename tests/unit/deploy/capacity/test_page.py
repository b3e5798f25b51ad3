"""docs/scale.md shows what docs/bench.json says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.capacity.command import REPORT, main
from deploy.capacity.measured import Measured
from deploy.capacity.page import render

PAGE = Path(__file__).resolve().parents[4] / "docs" / "scale.md"


def test_the_pages_tables_are_those_of_the_kept_report() -> None:
    text = PAGE.read_text()
    remedy = "python -m deploy.capacity --write docs/scale.md"
    assert render(text, json.loads(REPORT.read_text())) == text, remedy


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks <!-- constants -->"):
        render("# Scale\n", json.loads(REPORT.read_text()))


def test_the_command_prints_a_plan_and_its_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--users", "2e6", "--platforms", "5"]) == 0
    shown = capsys.readouterr().out
    assert "| users | 2 million |" in shown
    assert "the hottest partition fills a core" in shown


def test_every_constant_of_the_kept_report_is_a_measurement() -> None:
    measured = Measured.of(json.loads(REPORT.read_text()))
    assert all(value >= 0 for value in vars(measured).values())
    assert measured.update_us > 0
    assert measured.row_bytes > 1_000
