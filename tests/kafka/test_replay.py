"""The replay job as a whole: real broker, real worker, and vectors equal to the offline ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.replay import replay
from models.contract import ACTIONS
from models.data.table import TableBuilder
from tests.bundles import make_tiny_bundle
from tests.native_files import write_jsonl

PLATFORMS = ("food", "kitchen")


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.usefixtures("kafka_tools")
def test_what_is_served_is_what_the_bundle_says_offline(tmp_path: Path) -> None:
    builder, rng = TableBuilder(), np.random.default_rng(5)
    for user in range(150):
        time = 1_500_000_000_000
        for _ in range(int(rng.integers(2, 30))):
            name = PLATFORMS[rng.integers(2)]
            # Ties across platforms, and gaps beyond the window, as real data has them.
            time += int(rng.choice([0, 0, 60_000, 86_400_000, 50 * 86_400_000]))
            action = int(rng.choice([ACTIONS.index("browse"), ACTIONS.index("purchase")]))
            builder.add_event(f"u{user}", name, action, f"{name}-{rng.integers(50)}", time)
    table = builder.build()
    write_jsonl(table, tmp_path / "data")
    bundle = make_tiny_bundle(tmp_path / "bundle", PLATFORMS)
    report = tmp_path / "report.json"
    words = [str(tmp_path / "data"), "--bundle", str(bundle), "--report", str(report)]
    assert replay.main(words) == 0
    found = json.loads(report.read_text())
    assert found["events_in"] == found["events_applied"] == len(table)
    assert (found["lost"], found["duplicates"], found["dead_letters"], found["late"]) == (0,) * 4
    assert found["hit_rate_live"] == pytest.approx(found["hit_rate_offline"], abs=0.02)
    assert found["same_rank"] == 1.0
    assert 0.0 < found["latency_steady_p50_s"] < 5.0
