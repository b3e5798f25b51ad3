"""RunningFigures figures of live quality, and how many cases a shadow may take."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.runtime.bundles.worker_status import WorkerStatus
from streams.runtime.services.running_figures import HALF_LIFE, RateLimit, RunningFigures


def test_running_figures_follow_what_is_served_now() -> None:
    running = RunningFigures()
    running.add(np.array([1.0, 20.0]))
    assert (running.cases, running.hit_rate) == (2, 0.5)
    assert running.mrr == pytest.approx(0.525)
    for _ in range(20):
        running.add(np.full(int(HALF_LIFE), 4.0))
    assert running.hit_rate == pytest.approx(1.0, abs=0.01)
    assert running.mrr == pytest.approx(0.25, abs=0.01)


def test_figures_can_be_sent() -> None:
    running = RunningFigures()
    running.add(np.array([3.0]))
    figures: dict[str, str | float] = {"hit_rate_10": running.hit_rate, "mrr": running.mrr}
    status = WorkerStatus("w", "b", quality=(figures,))
    assert msgspec.json.decode(msgspec.json.encode(status), type=WorkerStatus) == status


def test_a_rate_is_saved_up_for_a_second_at_the_most() -> None:
    limit = RateLimit(per_second=5.0)
    limit.at -= 3600.0
    assert limit.take(100) == 5
    assert limit.take(100) == 0
    limit.at -= 0.5
    assert limit.take(1) == 1
    assert limit.take(100) == 1
