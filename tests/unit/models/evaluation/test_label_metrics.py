"""Figures of labels against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.bundle import write_bundle
from models.data.table import TableBuilder
from models.evaluation.label_metrics import (
    calibration_error,
    figures,
    label_figures,
    past_shares,
    roc_auc,
)
from models.evaluation.served import ServedBundle
from models.labels import Labels
from models.protocols import abxi
from tests.bundles import VECTOR, make_tiny_bundle, tiny_parts


def test_roc_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8], np.float32)
    came = np.array([False, True, False, True])
    assert roc_auc(scores, came) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert roc_auc(scores, np.zeros(4, bool)) == 0.5


def test_calibration_of_shares_that_hold_and_of_those_that_do_not() -> None:
    shares = np.tile([0.25, 0.75], (4, 1)).astype(np.float32)
    came = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], bool)
    assert calibration_error(shares, came) == pytest.approx(0.0)
    assert calibration_error(shares, came[:, ::-1]) == pytest.approx(0.5)


def test_the_threshold_is_chosen_on_the_first_part() -> None:
    check = np.array([[0.9, 0.1], [0.6, 0.4]], np.float32)
    found = figures(check, np.array([0, 0]), check, np.array([0, 1]))
    assert 0.4 < found.threshold <= 0.6
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)


def test_the_past_is_how_often_each_label_came() -> None:
    builder = TableBuilder()
    for time_ms, item in enumerate(["a", "b", "a", "c", "a"]):
        builder.add_event("ann", "shop", 1, item, time_ms)
    builder.add_event("ann", "video", 1, "v", 3)
    split = abxi(builder.build(), negatives=2)
    label = np.array([0, 1, -1])
    cases = split.test
    assert past_shares(split, cases, 0, label, 2)[0] == pytest.approx([2 / 3, 1 / 3])
    empty = replace(cases, end=cases.start)
    usual = past_shares(split, empty, 0, label, 2)
    assert usual.sum() == pytest.approx(1.0)


def test_a_bundle_with_labels_is_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    builder = TableBuilder()
    for user in range(30):
        for time_ms in range(6):
            builder.add_event(f"u{user}", "shop", 1, f"shop-{rng.integers(50)}", time_ms)
    split = abxi(builder.build(), negatives=5)
    weight = rng.standard_normal((VECTOR, 2)).astype(np.float32)
    items = (np.arange(50) % 2).astype(np.int16)
    labels = Labels(("even", "odd"), weight, np.zeros(2, np.float32), items)
    write_bundle(tmp_path / "bundle", replace(tiny_parts(("shop",)), labels={"shop": labels}))
    served = ServedBundle(tmp_path / "bundle")
    served.fit(split, 0)
    assert served.item_labels(split.table, 0, labels)[0] == int(split.table.items[0].ids[0][5:]) % 2
    found = label_figures(served, split, split.test)["shop"]
    assert found["labels"] == 2
    assert set(found) == {"labels", "cases", "vectors", "past"}
    without = ServedBundle(make_tiny_bundle(tmp_path / "other", platforms=("shop",)))
    without.fit(split, 0)
    assert label_figures(without, split, split.test) == {}
