"""A real worker in which something stops moving ends itself, and says why."""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import datetime
from typing import Any

import pytest

from streams.runtime.services.guard import STUCK
from tests.integration.runtime.conftest import PREFIX, Line, StartLine
from tests.integration.runtime.faulty_worker import BEGINS
from tests.workers import wait_until

VECTORS = f"{PREFIX}.vectors"
# Not whole seconds: a look each second then finds it at the same look, however the looks drift.
LIMIT_S = 3.5
# As docs/operations.md has it: how long after its limit each rule's end is found at the latest.
WITHIN_S = {"onnx": 2, "loop": 2, "commit": 2, "progress": 7, "recovery": 2}
SHOWN = ("commit", "progress", "recovery")
"""Rules whose metric can be scraped meanwhile: the others hold the loop that answers."""
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


def click(line: Line, user: str) -> float:
    """Send an event; when it was sent."""
    sent = time.time()
    line.send("video.click", user, {"item_id": "video-1", "time": round(sent * 1000)})
    return sent


def shows(line: Line, rule: str) -> None:
    """The metric rises before the worker ends, and no higher than is said."""
    name = f'interest_watchdog_still_seconds{{rule="{rule}"}}'
    seen: list[float] = []

    def rises() -> bool:
        seen.append(line.worker.metric(name))
        return seen[-1] >= 1.5

    wait_until(rises, 30, f"{name} rises")
    assert seen[-1] <= LIMIT_S + WITHIN_S[rule], seen


def found(log: str, rule: str) -> tuple[float, float]:
    """When the watchdog found it, and for how long it says that it had stood still."""
    said = re.search(
        rf"^(\S+Z) .*watchdog {rule}: {REASONS[rule]}.*, for (\d+) s "
        rf"\(watchdog\.{rule}_s = {LIMIT_S:g}\)",
        log,
        re.MULTILINE,
    )
    assert said, log[-4_000:]
    return datetime.fromisoformat(said[1]).timestamp(), float(said[2])


def ends(line: Line, rule: str, waits_since: float = 0.0) -> None:
    """The worker ends in time and with the reason of a rule, which the next start will show.

    Args:
        line: with the worker.
        rule: that finds it.
        waits_since: since when something waits, where the fault alone makes nothing stand still.
    """
    assert line.worker.process.wait(60) == STUCK, line.worker.log()[-4_000:]
    log = line.worker.log()
    at, still_s = found(log, rule)
    latest_s = LIMIT_S + WITHIN_S[rule]
    assert LIMIT_S <= still_s <= latest_s
    began = re.findall(rf"^{BEGINS} (\S+)$", log, re.MULTILINE)
    since = max([waits_since, *map(float, began)])
    # By the clock, too: what the watchdog says begins with the look that first saw it.
    assert at - since <= latest_s, f"found after {at - since:.1f} s"
    counts = json.loads((line.worker.config.parent / "state" / "watchdog.json").read_text())
    assert {name: n for name, n in counts.items() if n} == {rule: 1}


@pytest.mark.parametrize("fault", ["onnx", "loop", "commit", "progress"])
def test_what_stands_still_ends_the_worker(start_line: StartLine, fault: str) -> None:
    with start_line([VECTORS], sections(fault), command(fault)) as line:
        click(line, "ann")
        line.broker.until(line.broker.update(VECTORS, "video/ann", 1), "the first vector")
        since = click(line, "ann") if fault != "commit" else 0.0
        if fault in SHOWN:
            shows(line, fault)
        ends(line, fault, since if fault == "progress" else 0.0)
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
        shows(line, "recovery")
        ends(line, "recovery")
        line.worker.command = healthy
        line.worker.start().wait_ready()
        wait_until(lambda: line.worker.metric("interest_watchdog_exits_total") == 1, 20, "counted")
        assert line.worker.metric("interest_watchdog_limit_seconds") == 4 * 60 + LIMIT_S
