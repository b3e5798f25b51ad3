"""What a study trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.data.table import on_platforms
from models.errors import DataError
from models.studies.plan import entries_of, plan, to_grow
from models.studies.variants import ABLATIONS, SIZES, fitting
from tests.people import people_table
from tests.unit.models.studies.command import parse


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


def test_a_study_of_everything_trains_each_size_and_ablation_once() -> None:
    jobs = plan(
        parse("data", "--out", "out", "--methods", "all", "--first", 5), people_table(), "cdrib"
    )
    names = [job.name for job in jobs]
    assert names.count("ours") == 6
    assert {job.seed for job in jobs[:3]} == {5, 6, 7}
    assert len(names) == 6 + len(SIZES) + len(fitting(ABLATIONS, people_table()))
    assert len({job.folder for job in jobs}) == len(jobs)


def test_the_table_of_everything_has_the_fallback_chain_of_serving(tmp_path: Path) -> None:
    args = parse("data", "--out", tmp_path, "--methods", "all", "--seeds", 2)
    jobs = [job for job in plan(args, people_table(), "abxi") if job.name == "ours"]
    for job in jobs:
        job.folder.mkdir()
        (job.folder / "bundle.json").touch()
    chains = [one for one in entries_of(jobs, args) if one.name == "hybrid"]
    assert [len(one.bundles) for one in chains] == [2, 2]  # ties as in the file, and shuffled


def test_a_study_of_ablations_trains_each_with_every_seed() -> None:
    given = ("--methods", "ablations", "--seeds", 2, "--ties", "file", "--set", "dim=16")
    jobs = plan(parse("data", "--out", "out", *given), people_table(), "abxi")
    assert len(jobs) == 2 + 2 * len(fitting(ABLATIONS, people_table()))
    assert {job.seed for job in jobs} == {0, 1}
    assert all(job.changes[0] == "dim=16" for job in jobs)


def test_a_study_of_one_ablation() -> None:
    given = ("--methods", "quick", "--seeds", 2, "--ties", "file")
    args = parse("data", "--out", "out", *given, "--ablation", "purchases weigh 4")
    jobs = plan(args, people_table(), "abxi")
    assert [job.name for job in jobs] == ["ours", "ours", "purchases weigh 4"]
    looked = replace(people_table(), action=0 * people_table().action)
    with pytest.raises(DataError, match="nothing for it, it needs actions"):
        plan(args, looked, "abxi")


def test_what_is_published_knows_no_times_so_ours_is_also_shown_without_them() -> None:
    args = parse("data", "--out", "out", "--seeds", 2, "--ties", "both")
    timeless = [j for j in plan(args, people_table(), "abxi") if j.name == "ours timeless"]
    assert [(job.seed, job.ties) for job in timeless] == [(0, "file"), (1, "file")]
    assert all("trend_days=()" in job.changes for job in timeless)
    still = replace(people_table(), time_ms=0 * people_table().time_ms)
    quick = parse("data", "--out", "out", "--methods", "quick")
    for asked, table, protocol in (
        (args, people_table(), "temporal"),  # there everybody sees the time
        (args, still, "abxi"),
        (quick, people_table(), "abxi"),
    ):
        assert {job.name for job in plan(asked, table, protocol)} == {"ours"}


def test_ours_without_times_is_a_row_beside_ours(tmp_path: Path) -> None:
    args = parse("data", "--out", tmp_path, "--seeds", 1, "--ties", "file")
    jobs = plan(args, people_table(), "abxi")
    for job in jobs:
        job.folder.mkdir()
        (job.folder / "bundle.json").touch()
    names = [one.name for one in entries_of(jobs, args)]
    assert names[:3] == ["ours", "ours timeless", "hybrid"]
