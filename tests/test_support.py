"""A missing prerequisite skips with its remedy, and fails where CI=true."""

from __future__ import annotations

import pytest

from tests import support

Failed = pytest.fail.Exception
Skipped = pytest.skip.Exception


def test_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "IN_CI", True)
    support.require("a thing", True, "get it")


def test_missing_on_a_laptop_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "IN_CI", False)
    with pytest.raises(Skipped, match="needs a thing: get it"):
        support.require("a thing", None, "get it")


def test_missing_in_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "IN_CI", True)
    with pytest.raises(Failed, match=r"needs a thing: get it \(CI=true"):
        support.require("a thing", 0, "get it")


@pytest.mark.parametrize("in_ci", [False, True])
def test_a_missing_gpu_skips_everywhere(monkeypatch: pytest.MonkeyPatch, in_ci: bool) -> None:
    monkeypatch.setattr(support, "IN_CI", in_ci)
    with pytest.raises(Skipped, match=r"needs an NVIDIA GPU .*: this machine has no NVIDIA driver"):
        support.skip_without_gpu("this machine has no NVIDIA driver")


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "IN_CI", False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Skipped, match="needs the program 'promtool': apt-get install prometheus"):
        support.require_command("promtool", "apt-get install prometheus")
