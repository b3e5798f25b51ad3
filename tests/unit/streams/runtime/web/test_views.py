"""Alive while something moves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.errors import StuckError
from streams.runtime.services.progress import STUCK_S
from streams.runtime.web import views
from tests.unit.streams.runtime.web.fake_view import FakeView


@pytest.mark.parametrize(
    ("failure", "stalled_s", "status", "reason"),
    [
        (None, 0.0, 200, None),
        (None, STUCK_S - 1, 200, None),
        (None, STUCK_S, 503, "records wait and no offset advanced for 60 s"),
        (
            StuckError("watchdog commit: so"),
            0.0,
            503,
            "the worker ends because of: watchdog commit",
        ),
    ],
)
def test_alive_while_something_moves_and_the_watchdog_sees_nothing(
    failure: BaseException | None, stalled_s: float, status: int, reason: str | None
) -> None:
    app: Any = SimpleNamespace(failure=failure)
    progress: Any = SimpleNamespace(stalled_s=stalled_s)
    code, body = cast(Any, views._live(app, progress, cast(Any, FakeView())))
    assert (code, body["live"]) == (status, status == 200)
    assert body["reason"] == reason or body["reason"].startswith(reason)
