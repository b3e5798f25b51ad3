from __future__ import annotations

from pathlib import Path

import pytest

from deploy.replay.bundle import ReplayJobError, fingerprint, trained_bundle


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "events.jsonl").write_text("1\n")
    return tmp_path / "set"


def test_a_fingerprint_is_of_names_and_contents(data: Path) -> None:
    first = fingerprint(data)
    assert fingerprint(data) == first
    assert fingerprint(data / "events.jsonl") == first
    (data / "events.jsonl").write_text("2\n")
    assert fingerprint(data) != first


def test_a_bundle_is_trained_once_for_the_same_data(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    class Done:
        returncode = 0

    def train(words: list[str], check: bool) -> Done:
        calls.append(words)
        out = Path(words[words.index("--out") + 1])
        out.mkdir()
        (out / "bundle.json").write_text("{}")
        return Done()

    monkeypatch.setattr("deploy.replay.bundle.subprocess.run", train)
    first = trained_bundle(data, "jsonl", tmp_path / "bundles")
    assert trained_bundle(data, "jsonl", tmp_path / "bundles") == first
    assert len(calls) == 1
    assert calls[0][3:5] == ["train", str(data)]
    assert calls[0][calls[0].index("--protocol") + 1] == "abxi"
    (data / "events.jsonl").write_text("3\n")
    assert trained_bundle(data, None, tmp_path / "bundles") != first
    assert "--format" not in calls[1]


def test_training_that_fails_is_reported(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed:
        returncode = 2

    monkeypatch.setattr("deploy.replay.bundle.subprocess.run", lambda words, check: Failed())
    with pytest.raises(ReplayJobError, match="exit code 2"):
        trained_bundle(data, None, tmp_path / "bundles")
