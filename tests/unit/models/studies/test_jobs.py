"""Trainings of a study: what is kept of an earlier run, and some users of a table."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.data.table import TEST, TRAIN, EventTable
from models.studies import jobs
from models.studies.jobs import some_users, train_job
from models.studies.plan import Job
from models.training.options import TrainOptions
from tests.people import people_table


def test_a_training_is_kept_only_with_its_bundle_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job("ours", tmp_path / "ours", 0, "file")

    def trained(table: EventTable, options: TrainOptions, out: Path) -> None:
        out.mkdir(exist_ok=True)
        (out / "bundle.json").touch()
        sys.stdout.write(f"trained with {options.changes[-1]}\n")

    monkeypatch.setattr(jobs, "train_bundle", trained)
    monkeypatch.setattr(jobs, "read_events", lambda path: people_table(users=3))
    assert train_job(job, tmp_path, None, 1, "abxi") == "trained with epochs=1"
    log = tmp_path / "ours.log"
    log.write_text("trained earlier")
    assert train_job(job, tmp_path, None, 1, "abxi", resume=True) == "trained earlier"
    (job.folder / "bundle.json").unlink()
    assert train_job(job, tmp_path, None, 1, "abxi", resume=True) == "trained with epochs=1"
    assert train_job(job, tmp_path, None, 2, "abxi", resume=True) == "trained with epochs=2"


def test_some_users_are_the_first_ones() -> None:
    table = people_table(users=9)
    assert some_users(table, None) is table
    assert set(some_users(table, 4).user.tolist()) == {0, 1, 2, 3}


def test_some_users_of_prescribed_cases_are_those_that_cases_need() -> None:
    table = people_table(users=9)
    one = (table.user % 3 > 0) & (table.platform == 1)
    table = table.select(~one)  # people 0, 3 and 6 are on both platforms
    part = np.where((table.user == 4) & (np.arange(len(table)) % 2 == 0), TEST, TRAIN)
    given = replace(table, part=part.astype(np.int8))
    assert set(some_users(given, 2).user.tolist()) == {0, 3, 4, 6}
    assert set(some_users(given, 6).user.tolist()) == {0, 1, 3, 4, 6, 8}
    assert len(some_users(given, 99)) == len(given)
