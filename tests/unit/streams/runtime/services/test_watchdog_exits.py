"""Exits are counted, whatever lies in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.runtime.services.watchdog import Rule
from streams.runtime.services.watchdog_exits import Exits


@pytest.mark.parametrize("content", ["", "[]", '{"loop": "x"}', '{"loop": null}', "\x00"])
def test_a_damaged_count_begins_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "watchdog.json"
    path.write_text(content)
    exits = Exits(path)
    assert exits.counts()[Rule.LOOP] == 0
    exits.add(Rule.COMMIT)
    assert exits.counts()[Rule.COMMIT] == 1


def test_a_folder_that_cant_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    Exits(tmp_path / "file" / "watchdog.json").add(Rule.LOOP)
    assert "isn't counted" in caplog.text
