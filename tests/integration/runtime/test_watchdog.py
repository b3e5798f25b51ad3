"""A real worker in which something stops moving ends itself, and says why."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from streams.runtime.guard import STUCK
from tests.integration.runtime.conftest import PREFIX, Line, StartLine
from tests.workers import wait_until

VECTORS = f"{PREFIX}.vectors"
LIMIT_S = 3
SECTIONS: dict[str, Any] = {
    "output": {"topic": VECTORS},
    "watchdog": dict.fromkeys(("onnx_s", "loop_s", "progress_s", "commit_s", "recovery_s"), 60),
}
REASONS = {
    "onnx": "an ONNX Runtime call hasn't returned",
    "loop": "the event loop is blocked",
    "commit": "what was processed isn't committed",
    "progress": "records wait and the partition isn't read",
    "recovery": "joining the group, or reading states back, doesn't move",
}


def sections(rule: str) -> dict[str, Any]:
    """Settings in which only one rule is strict."""
    return SECTIONS | {"watchdog": SECTIONS["watchdog"] | {f"{rule}_s": LIMIT_S}}


def command(fault: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.integration.runtime.faulty_worker", fault)


def click(line: Line, user: str) -> None:
    event = {"item_id": "video-1", "time": time.time_ns() // 1_000_000}
    line.send("video.click", user, event)


def ends(line: Line, rule: str) -> None:
    """The worker ends with the reason of a rule, which the next start will show."""
    assert line.worker.process.wait(60) == STUCK, line.worker.log()[-4_000:]
    log = line.worker.log()
    assert f"watchdog {rule}: {REASONS[rule]}" in log
    counts = json.loads((line.worker.config.parent / "state" / "watchdog.json").read_text())
    assert {name: n for name, n in counts.items() if n} == {rule: 1}


@pytest.mark.parametrize("fault", ["onnx", "loop", "commit", "progress"])
def test_what_stands_still_ends_the_worker(start_line: StartLine, fault: str) -> None:
    with start_line([VECTORS], sections(fault), command(fault)) as line:
        click(line, "ann")
        line.broker.until(line.broker.update(VECTORS, "video/ann", 1), "the first vector")
        if fault != "commit":
            click(line, "ann")
        ends(line, fault)
        if fault in ("onnx", "loop"):
            assert "most recent call first" in line.worker.log()


def test_a_recovery_that_doesnt_move_ends_the_worker_and_the_next_says_so(
    start_line: StartLine,
) -> None:
    memory = sections("recovery") | {"service": {"store": "memory"}}
    with start_line([VECTORS], memory) as line:
        click(line, "ann")
        line.broker.until(line.broker.update(VECTORS, "video/ann", 1), "the first vector")
        assert line.worker.terminate() == 0
        healthy, line.worker.command = line.worker.command, command("recovery")
        line.worker.start()
        ends(line, "recovery")
        line.worker.command = healthy
        line.worker.start().wait_ready()
        wait_until(lambda: line.worker.metric("interest_watchdog_exits_total") == 1, 20, "counted")
        assert line.worker.metric("interest_watchdog_limit_seconds") == 4 * 60 + LIMIT_S
