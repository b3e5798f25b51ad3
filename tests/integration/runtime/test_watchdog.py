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
from tests.integration.runtime.conftest import PREFIX, Service, StartService
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


def click(service: Service, user: str) -> float:
    """Send an event; when it was sent."""
    sent = time.time()
    service.send("video.click", user, {"item_id": "video-1", "time": round(sent * 1000)})
    return sent


def shows(service: Service, rule: str) -> None:
    """The metric rises before the worker ends, and no higher than is said."""
    name = f'interest_watchdog_still_seconds{{rule="{rule}"}}'
    seen: list[float] = []

    def rises() -> bool:
        seen.append(service.worker.metric(name))
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


def ends(service: Service, rule: str, waits_since: float = 0.0) -> None:
    """The worker ends in time and with the reason of a rule, which the next start will show.

    Args:
        service: with the worker.
        rule: that finds it.
        waits_since: since when something waits, where the fault alone makes nothing stand still.
    """
    assert service.worker.process.wait(60) == STUCK, service.worker.log()[-4_000:]
    log = service.worker.log()
    at, still_s = found(log, rule)
    latest_s = LIMIT_S + WITHIN_S[rule]
    assert LIMIT_S <= still_s <= latest_s
    began = re.findall(rf"^{BEGINS} (\S+)$", log, re.MULTILINE)
    since = max([waits_since, *map(float, began)])
    # By the clock, too: what the watchdog says begins with the look that first saw it.
    assert at - since <= latest_s, f"found after {at - since:.1f} s"
    counts = json.loads((service.worker.config.parent / "state" / "watchdog.json").read_text())
    assert {name: n for name, n in counts.items() if n} == {rule: 1}


@pytest.mark.parametrize("fault", ["onnx", "loop", "commit", "progress"])
def test_what_stands_still_ends_the_worker(start_service: StartService, fault: str) -> None:
    with start_service([VECTORS], sections(fault), command(fault)) as service:
        click(service, "ann")
        service.broker.until(service.broker.update(VECTORS, "video/ann", 1), "the first vector")
        since = click(service, "ann") if fault != "commit" else 0.0
        if fault in SHOWN:
            shows(service, fault)
        ends(service, fault, since if fault == "progress" else 0.0)
        if fault in ("onnx", "loop"):
            assert "most recent call first" in service.worker.log()


def test_a_recovery_that_doesnt_move_ends_the_worker_and_the_next_says_so(
    start_service: StartService,
) -> None:
    memory = sections("recovery") | {"service": {"store": "memory"}}
    with start_service([VECTORS], memory) as service:
        click(service, "ann")
        service.broker.until(service.broker.update(VECTORS, "video/ann", 1), "the first vector")
        assert service.worker.terminate() == 0
        healthy, service.worker.command = service.worker.command, command("recovery")
        service.worker.start()
        shows(service, "recovery")
        ends(service, "recovery")
        service.worker.command = healthy
        service.worker.start().wait_ready()
        wait_until(
            lambda: service.worker.metric("interest_watchdog_exits_total") == 1, 20, "counted"
        )
        assert service.worker.metric("interest_watchdog_limit_seconds") == 4 * 60 + LIMIT_S
