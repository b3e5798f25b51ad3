"""The command study: trainings in processes of their own, one report."""

from __future__ import annotations

import pytest

from tests.unit.models.studies.command import parse


def test_there_are_as_many_jobs_as_cores_that_we_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {1, 3, 5}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert parse("data", "--out", "out").jobs == 3
