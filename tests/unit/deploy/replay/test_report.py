from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.replay.report import Outcome, make_report, offline_vectors, print_report
from models.data.table import TableBuilder
from models.evaluation.served import ServedBundle
from models.protocols import abxi
from models.protocols.cases import Split
from tests.bundles import make_tiny_bundle

PLATFORMS = ("food", "kitchen")
KEYS = {
    "events_in", "events_applied", "dead_letters", "duplicates", "users", "vectors_out",
    "events_per_s", "latency_p50_s", "latency_p99_s", "hit_rate_live", "hit_rate_offline",
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "b", PLATFORMS, items=300)


@pytest.fixture(scope="module")
def split() -> Split:
    builder, rng = TableBuilder(), np.random.default_rng(3)
    for name in PLATFORMS:
        for row in range(300):
            builder.add_item(name, f"{name}-{row}")
    for user in range(60):
        for time in range(8):
            name = PLATFORMS[rng.integers(2)]
            builder.add_event(f"u{user}", name, 2, f"{name}-{rng.integers(300)}", 1000 * time)
    return abxi(builder.build(), negatives=99)


def outcome(split: Split, live: np.ndarray, applied: int) -> Outcome:
    totals = {
        "interest_events_applied_total": float(applied),
        "interest_events_skipped_total": 2.0,
        'interest_events_skipped_total{reason="duplicate"}': 2.0,
    }
    return Outcome(
        totals, 2.0, 400, np.array([0.1, 0.3]), np.array([0.01]), live.astype(np.float32), 90, 7
    )


def served(split: Split, bundle: Path) -> np.ndarray:
    """As published: in float16."""
    return offline_vectors(split, ServedBundle(bundle)).astype(np.float16)


def test_the_report_has_its_keys_and_agrees_where_serving_is_right(
    split: Split, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = make_report(split, bundle, outcome(split, served(split, bundle), 478))
    assert set(report) >= KEYS
    assert report["agrees"]
    assert report["hit_rate_live"] == pytest.approx(report["hit_rate_offline"], abs=0.02)
    assert report["same_rank"] == 1.0
    assert set(report["hit_rate_by_target"]) == set(PLATFORMS)
    assert (report["events_in"], report["lost"], report["duplicates"]) == (480, 0, 2)
    assert report["events_per_s"] == 200.0
    json.dumps(report)
    print_report(report)
    assert "live and offline agree" in capsys.readouterr().out


def test_vectors_that_serve_something_else_do_not_agree(split: Split, bundle: Path) -> None:
    targets = split.targets(split.test)
    outputs = ServedBundle(bundle).outputs(split.table)
    items = split.table.item[split.test.row]
    oracle = np.stack([outputs[t][i] for t, i in zip(targets, items, strict=True)])
    report = make_report(split, bundle, outcome(split, 10 * oracle, 478))
    assert report["hit_rate_live"] > report["hit_rate_offline"]
    assert not report["agrees"]


def test_events_that_nobody_accounts_for_are_lost(split: Split, bundle: Path) -> None:
    report = make_report(split, bundle, outcome(split, served(split, bundle), 470))
    assert report["lost"] == 8
