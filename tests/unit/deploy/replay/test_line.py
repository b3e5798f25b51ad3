from __future__ import annotations

from pathlib import Path

import pytest

from deploy.replay import line
from deploy.replay.bundle import ReplayJobError
from deploy.replay.line import wait_until, worker_sections
from models.contract import ACTIONS
from models.data.table import TableBuilder
from streams.settings import parse_settings


def test_the_worker_reads_just_the_topics_that_the_data_has(tmp_path: Path) -> None:
    builder = TableBuilder()
    builder.add_event("ada", "taobao", ACTIONS.index("browse"), "i", 1)
    builder.add_event("ada", "taobao", ACTIONS.index("cart"), "i", 2)
    sections = worker_sections(builder.build(), "h:1", tmp_path, tmp_path, 4711)
    settings = parse_settings(sections)
    assert set(settings.event_topics()) == {"taobao.browse", "taobao.cart"}
    assert settings.http.port == 4711
    assert settings.kafka.bootstrap == ("h:1",)


def test_waiting_ends_when_it_is_done() -> None:
    steps = iter(range(10))
    seen: list[int] = []

    def progress() -> int:
        seen.append(next(steps))
        return seen[-1]

    wait_until(progress, lambda: seen[-1] >= 3, str)
    assert seen == [0, 1, 2, 3]


def test_waiting_for_what_does_not_come_ends_with_the_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "STALLED_S", 0.1)
    with pytest.raises(ReplayJobError, match=r"nothing has moved for 0.1 s: 3 of 5"):
        wait_until(lambda: 3, lambda: False, lambda: "3 of 5")
