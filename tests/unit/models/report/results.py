"""Results with known figures."""

from __future__ import annotations

import numpy as np

from models.contract import ACTIONS
from models.evaluation.results import MethodResult, TargetResult
from models.evaluation.run import Run
from models.metrics.calibration import Calibration
from models.metrics.ranking_metrics import METRICS

CASES = 40


def result(value: float, groups: int = 1) -> MethodResult:
    """Half of the cases at ``value + 0.1``, half at ``value - 0.1``, on every metric."""
    values = np.where(np.arange(CASES) % 2, value + 0.1, value - 0.1)
    target = TargetResult(
        cases=np.arange(CASES),
        metrics={name: values.copy() for name in METRICS},
        user=np.arange(CASES),
        group=np.arange(CASES) % groups,
        action=np.arange(CASES) % groups * ACTIONS.index("purchase"),
        history=np.arange(CASES),
        age_days=np.zeros(CASES),
        since_days=np.zeros(CASES),
        coverage=0.5,
        self_information=8.0,
        calibration=Calibration(0.1, 5.0, 1.0),
    )
    return MethodResult({"shop": target}, fit_s=1.0, score_s=2.0)


def run() -> Run:
    return Run(
        results={"weak": [result(0.2)], "strong": [result(0.3)], "model": [result(0.4)]},
        skipped={"rules": "no item has a category"},
        ours=["model"],
    )
