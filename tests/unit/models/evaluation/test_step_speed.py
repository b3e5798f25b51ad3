"""The speed of a step is measured on the bundle's own graph."""

from __future__ import annotations

import time
from pathlib import Path

from models.evaluation.step_speed import cpu_s, step_speed
from tests.bundles import STATE, make_tiny_bundle


def test_step_speed(tmp_path: Path) -> None:
    found = step_speed(make_tiny_bundle(tmp_path / "bundle"), runs=10)
    assert found["state_bytes"] == 2 * STATE
    assert 0 < found["step_us_batch_1"] < 1e6
    assert found["rows_per_s_batch_64"] > 64


def test_what_else_the_machine_does_is_not_counted() -> None:
    class Waiting:
        def run(self, outputs: None, feed: dict[str, object]) -> None:
            time.sleep(0.005)

    assert cpu_s(Waiting(), {}, runs=5) < 0.004
