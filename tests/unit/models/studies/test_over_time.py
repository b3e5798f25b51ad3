"""A study also judges what it trained as it is served: over time, against what goes on counting."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from models.cli.study import run
from models.studies.over_time import lives_on
from tests.native_files import write_jsonl
from tests.people import people_table
from tests.unit.models.studies.command import parse


def test_the_report_has_the_figures_over_time_in_the_same_shape(tmp_path: Path) -> None:
    write_jsonl(people_table(users=30), tmp_path / "data")
    out = tmp_path / "out"
    given = ("--seeds", 1, "--epochs", 1, "--ties", "file", "--set", "dim=16", "--set", "hidden=16")
    assert run(parse(tmp_path / "data", "--out", out, *given)) == 0
    found = json.loads((out / "report.json").read_text())
    later = found["stream"]
    assert (later["protocol"], later["ours"]) == ("stream", "ours")
    assert {"ours", "pop-7d", "live-pop", "live-user-knn", "live-blend"} <= set(later["methods"])
    assert set(later["methods"]["ours"]) == set(found["methods"]["ours"])
    assert "ours timeless" in found["methods"]
    assert found["sees_time"] == ["ours", "hybrid"]
    months = later["over_time"]["ours"]
    assert all(row["cases"] for made in months.values() for row in made["months"])
    assert months
    assert "How far ours stays ahead" in (out / "stream" / "report.html").read_text()


def test_it_needs_times_and_a_study_that_holds_peoples_last_events_out() -> None:
    table = people_table(users=5)
    cheap, quick = parse("d", "--out", "o"), parse("d", "--out", "o", "--methods", "quick")
    assert lives_on(cheap, table, "abxi")
    assert not lives_on(cheap, table, "stream")
    assert not lives_on(cheap, replace(table, time_ms=0 * table.time_ms), "abxi")
    assert not lives_on(quick, table, "abxi")
