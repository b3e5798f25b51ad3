"""A study from nothing: trainings in processes of their own, one report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from models.cli.study import add_arguments, run
from models.config import parse_settings, preset
from models.data import write_jsonl
from models.data.table import EventTable, on_platforms
from models.errors import DataError, ModelError
from models.evaluation.entries import Entry
from models.evaluation.run import Run, rank_all
from models.studies import plan as planned
from models.studies import study
from models.studies.plan import Job, entries_of, plan, to_grow
from models.studies.study import compare, parse_floor
from models.studies.variants import ABLATIONS, SIZES, TEXT, Variant, fitting
from models.training.action_weights import ActionWeights
from tests.bundles import make_tiny_bundle
from tests.people import people_table


def parse(*arguments: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(argument) for argument in arguments])


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


def test_a_platform_is_grown_where_it_is_asked_for_and_in_a_study_of_everything() -> None:
    table = people_table(users=3)
    assert to_grow(parse("data", "--out", "out"), table) is None
    assert to_grow(parse("data", "--out", "out", "--grow", "video"), table) == "video"
    assert to_grow(parse("data", "--out", "out", "--methods", "all"), table) == "shop"
    alone = on_platforms(table, ("video",))
    assert to_grow(parse("data", "--out", "out", "--methods", "all"), alone) is None
    for data, name in ((table, "news"), (alone, "video")):
        with pytest.raises(DataError, match=f"--grow {name}: the data has video"):
            to_grow(parse("data", "--out", "out", "--grow", name), data)


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


def test_a_study_of_everything_trains_each_size_and_ablation_once() -> None:
    jobs = plan(parse("data", "--out", "out", "--methods", "all", "--first", 5), people_table())
    names = [job.name for job in jobs]
    assert names.count("ours") == 6
    assert {job.seed for job in jobs[:3]} == {5, 6, 7}
    assert len(names) == 6 + len(SIZES) + len(fitting(ABLATIONS, people_table()))
    assert len({job.folder for job in jobs}) == len(jobs)


def test_the_table_of_everything_has_the_fallback_chain_of_serving(tmp_path: Path) -> None:
    args = parse("data", "--out", tmp_path, "--methods", "all", "--seeds", 2)
    jobs = [job for job in plan(args, people_table()) if job.name == "ours"]
    for job in jobs:
        job.folder.mkdir()
        (job.folder / "bundle.json").touch()
    chains = [one for one in entries_of(jobs, args) if one.name == "hybrid"]
    assert [len(one.bundles) for one in chains] == [2, 2]  # ties as in the file, and shuffled


def test_a_study_of_ablations_trains_each_with_every_seed() -> None:
    given = ("--methods", "ablations", "--seeds", 2, "--ties", "file", "--set", "dim=16")
    jobs = plan(parse("data", "--out", "out", *given), people_table())
    assert len(jobs) == 2 + 2 * len(fitting(ABLATIONS, people_table()))
    assert {job.seed for job in jobs} == {0, 1}
    assert all(job.changes[0] == "dim=16" for job in jobs)


def test_a_study_of_one_ablation() -> None:
    given = ("--methods", "quick", "--seeds", 2, "--ties", "file")
    args = parse("data", "--out", "out", *given, "--ablation", "purchases weigh 4")
    jobs = plan(args, people_table())
    assert [job.name for job in jobs] == ["ours", "ours", "purchases weigh 4"]
    looked = replace(people_table(), action=0 * people_table().action)
    with pytest.raises(DataError, match="nothing for it, it needs actions"):
        plan(args, looked)


def test_what_the_data_has_nothing_for_is_not_trained() -> None:
    table = people_table(titles=False)
    bare = replace(table, time_ms=0 * table.time_ms, action=0 * table.action)
    assert set(fitting(ABLATIONS, table)) < set(ABLATIONS)
    named = {need for one in fitting(ABLATIONS, bare).values() for need in [one.needs]}
    assert named == {"", "platforms", "bridge"}
    alone = replace(bare, platforms=bare.platforms[:1])
    left = {"only the next event", "without trend", "without the bridge"}
    assert set(fitting(ABLATIONS, alone)) == left


def test_a_text_encoder_reads_titles_and_not_categories() -> None:
    table = people_table()
    bare = [replace(items, titles=["" for _ in items.titles]) for items in table.items]
    named = set(fitting(ABLATIONS, replace(table, items=tuple(bare))))
    assert "without titles of their own" in named, "a category's name is words as well"
    assert "MiniLM titles" not in named
    assert "MiniLM titles" in fitting(ABLATIONS, table)


def test_every_ablation_and_size_is_of_real_settings() -> None:
    for variant in (SIZES | ABLATIONS).values():
        named = [one for one in variant.changes if not one.startswith(TEXT)]
        chosen = preset("base", **parse_settings(named))
        assert bool(named) == (chosen != preset("base"))
        assert chosen.model.state_size <= 512
        ActionWeights.parse(chosen.train.actions)


def test_there_are_as_many_jobs_as_cores_that_we_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {1, 3, 5}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert parse("data", "--out", "out").jobs == 3


def test_a_floor_is_a_figure_and_a_number() -> None:
    assert parse_floor("hr@10=0.2") == ("hr@10", 0.2)
    for text in ("hr@10", "hr@10=much"):
        with pytest.raises(ModelError, match="isn't FIGURE=VALUE"):
            parse_floor(text)
