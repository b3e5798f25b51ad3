"""A study from nothing: trainings in processes of their own, one report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.cli.study import run
from models.data.table import EventTable
from models.errors import DataError, ModelError
from models.evaluation.entries import Entry
from models.evaluation.run import Run, rank_all
from models.studies import plan as planned
from models.studies import study
from models.studies.plan import Job
from models.studies.study import compare, parse_floor
from models.studies.variants import Variant
from tests.bundles import make_tiny_bundle
from tests.native_files import write_jsonl
from tests.people import people_table
from tests.unit.models.studies.command import parse


def test_train_evaluate_and_report_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(people_table(users=40), tmp_path / "data")
    out = tmp_path / "out"
    given = (
        "--seeds",
        1,
        "--epochs",
        1,
        "--methods",
        "quick",
        "--floor",
        "hr@10=1.1",
        "--grow",
        "shop",
    )
    assert run(parse(tmp_path / "data", "--out", out, "--users", 30, *given)) == 1
    told = capsys.readouterr()
    assert "below 1.1" in told.err
    found = json.loads((out / "report.json").read_text())
    assert found["ours"] == "ours"
    assert found["ablations"] == {}
    for part in ("methods", "ties_shuffled"):
        assert set(found[part]) == {"ours", "pop-all", "pop-30d"}
        for figures in found[part].values():
            assert set(figures) == {"video", "shop"}
            assert {"hr@5", "hr@10", "ndcg@10", "mrr"} <= set(figures["shop"])
    for name in ("step_us_batch_1", "rows_per_s_batch_64", "state_bytes", "memory_mb"):
        assert found[name] > 0
    assert "<svg" in (out / "report.html").read_text()
    assert [point["share"] for point in found["growth"]["points"]] == [0.05, 0.1, 0.2]
    assert "shop as a new platform" in told.out
    assert "epoch  1" in (out / "ours-shuffled-0.log").read_text()


def test_a_variant_that_cannot_be_trained_does_not_end_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(people_table(users=30), tmp_path / "data")
    refused = {"refused": Variant(("actions=dream:2",))}
    monkeypatch.setattr(planned, "ABLATIONS", refused)
    monkeypatch.setattr(study, "ABLATIONS", refused)
    out = tmp_path / "out"
    given = ("--seeds", 1, "--epochs", 1, "--methods", "ablations", "--ties", "file")
    assert run(parse(tmp_path / "data", "--out", out, *given)) == 0
    found = json.loads((out / "report.json").read_text())
    assert list(found["methods"]) == ["ours"]
    assert found["part"] == "validation"
    assert "isn't ACTION:WEIGHT" in found["not_applicable"]["refused"]

    log = out / "ours-file-0.log"
    log.write_text("trained earlier")
    assert run(parse(tmp_path / "data", "--out", out, *given, "--resume")) == 0
    assert log.read_text() == "trained earlier", "not trained again"


def test_variants_are_chosen_on_validation_against_ours_of_the_same_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = people_table(users=12)
    jobs = [
        Job(name, tmp_path / f"{name}-{seed}", seed, "file")
        for name, seed in (("ours", 3), ("ours", 4), ("ours 32", 3), ("without trend", 3))
    ]
    for job in jobs:
        make_tiny_bundle(job.folder, platforms=("video", "shop"))
        job.folder.with_name(job.folder.name + ".log").write_text("trained in 1 s")
    asked: list[tuple[dict[str, list[str]], list[int], bool]] = []

    def noted(
        entries: Sequence[Entry],
        table: EventTable,
        protocol: str,
        seeds: Sequence[int],
        validation: bool,
    ) -> Run:
        bundles = {one.name: [folder.name for folder in one.bundles] for one in entries}
        asked.append((bundles, list(seeds), validation))
        return rank_all(entries, table, protocol, seeds, validation)

    monkeypatch.setattr(study, "rank_all", noted)
    found, speeds = compare(jobs, table, "abxi")
    bundles, seeds, validation = asked[0]
    assert bundles["ours"] == ["ours-3"]
    assert (seeds, validation) == ([3], True)
    assert found["compared"]["part"] == "validation"
    assert found["ablations"]["without trend"]["targets"]["shop"]["mrr"]["difference"] == 0.0
    assert list(found["sizes"]) == ["ours", "ours 32"]
    assert list(speeds) == ["ours 32"]
    assert compare(jobs[:2], table, "abxi") == ({"ablations": {}, "sizes": {}}, {})


def test_a_curve_that_cannot_be_drawn_does_not_end_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(people_table(users=20), tmp_path / "data")

    def refused(*given: object) -> None:
        raise DataError("too few")

    monkeypatch.setattr(study, "grow_all", refused)
    given = ("--seeds", 1, "--epochs", 1, "--methods", "quick", "--ties", "file", "--grow", "shop")
    assert run(parse(tmp_path / "data", "--out", tmp_path / "out", *given)) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["not_applicable"] == {"shop as a new platform": "too few"}


def test_a_floor_is_a_figure_and_a_number() -> None:
    assert parse_floor("hr@10=0.2") == ("hr@10", 0.2)
    for text in ("hr@10", "hr@10=much"):
        with pytest.raises(ModelError, match="isn't FIGURE=VALUE"):
            parse_floor(text)
