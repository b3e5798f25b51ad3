"""The handbook's table of metrics is the code's."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import reference
from streams.metrics.metrics import Metrics


def test_the_handbook_is_up_to_date() -> None:
    text = reference.PATH.read_text(encoding="utf-8")
    assert text == reference.renewed(text), "run `python -m deploy.reference` and commit it"


def test_the_table_has_every_metric() -> None:
    assert reference.table().count("\n| `interest_") == len(Metrics(process=False).reference())


def test_writing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.md"
    path.write_text(f"Before.\n{reference.BEGIN}| outdated |{reference.END}After.\n")
    monkeypatch.setattr(reference, "PATH", path)
    assert reference.main() == 0
    text = path.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "outdated" not in text
    assert "| `interest_ready` | gauge |  | 1 once" in text


def test_missing_markers_are_named() -> None:
    with pytest.raises(reference.MarkersError, match="end of metrics"):
        reference.renewed("nothing")
