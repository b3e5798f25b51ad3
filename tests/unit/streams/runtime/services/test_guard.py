"""What the guard looks at, what it shows, and what it leaves for the next start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.errors import PublishError, StuckError
from streams.metrics.metrics import Metrics
from streams.runtime.services.guard import STUCK, Guard
from streams.runtime.services.watchdog import Rule, Verdict, Watched
from streams.runtime.services.watchdog_exits import Exits
from streams.runtime.worker import FAILED, _code
from streams.settings.sections.watchdog import Watchdog as Limits


class FakeApp(SimpleNamespace):
    """The parts of the app that the guard looks at."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            settings=SimpleNamespace(
                watchdog=Limits(onnx_s=5), service=SimpleNamespace(state_dir=folder)
            ),
            metrics=Metrics(process=False),
            engine=SimpleNamespace(calls=3, returned=3),
            failure=None,
        )


def sample(app: Any, name: str, rule: Rule) -> float | None:
    value: float | None = app.metrics.registry.get_sample_value(name, {"rule": rule.value})
    return value


@pytest.fixture
async def app(tmp_path: Path) -> FakeApp:
    return FakeApp(tmp_path / "state")


async def test_a_call_is_watched_while_it_is_under_way(app: FakeApp) -> None:
    guard = Guard(cast(Any, app), cast(Any, None))
    assert guard._of_the_loop() == [Watched(Rule.LOOP, 0)]
    app.engine.calls = 4
    call, loop = guard._of_the_loop()
    assert (call, loop.detail) == (Watched(Rule.ONNX, 4), "in ONNX Runtime")


async def test_limits_and_former_exits_are_shown_from_the_start(app: FakeApp) -> None:
    exits = Exits(app.settings.service.state_dir / "watchdog.json")
    exits.add(Rule.LOOP)
    exits.add(Rule.LOOP)
    Guard(cast(Any, app), cast(Any, None))
    assert sample(app, "interest_watchdog_exits_total", Rule.LOOP) == 2
    assert sample(app, "interest_watchdog_exits_total", Rule.ONNX) == 0
    assert sample(app, "interest_watchdog_limit_seconds", Rule.ONNX) == 5
    assert sample(app, "interest_watchdog_still_seconds", Rule.ONNX) == 0


def test_exit_codes() -> None:
    verdict = Verdict(Watched(Rule.LOOP, 0), 61, 60)
    assert [_code(e) for e in (None, PublishError("x"), StuckError(str(verdict)))] == [
        0,
        FAILED,
        STUCK,
    ]
