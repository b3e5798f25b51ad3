"""A short run of the real thing: what `make chaos` does for an hour, in half a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.draw import Drawn
from tests.chaos.plan import Plan
from tests.chaos.run import run
from tests.chaos.systems.systems import Service
from tests.chaos.verdict import report

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("kafka_tools")]

SESSION_S = 6.0


# Half a minute; on a machine that is busy with other things, several.
@pytest.mark.timeout(600)
def test_three_faults_at_once_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    # Poison while a worker dies, and the other leaves while the first is still missed.
    drawn = [
        Drawn("poison_bulk", hasty=True, pause_s=0.2, seed=1),
        Drawn("worker_killed", hasty=True, pause_s=1.0, seed=2),
        Drawn("worker_stopped", hasty=False, pause_s=0.0, seed=3),
    ]
    service = Service(tmp_path, "chaos", 1, 1, SESSION_S)
    plan = Plan(tmp_path, 1, 200.0, SESSION_S, drawn, running=2, slots=2, back_s=45)
    outcome = run(plan, service)
    figures = report.figures(outcome, SESSION_S)
    assert figures["faults"] == {"poison_bulk": 1, "worker_killed": 1, "worker_stopped": 1}
    assert figures["events"] > 1000
    assert outcome.verdict.good, figures["examples"]
    assert outcome.undrained == 0
    assert "counted twice" in report.table({"interest-stream": figures}, SESSION_S)
